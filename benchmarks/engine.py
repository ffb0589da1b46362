"""How fast an epoch is here, against an epoch of another commit, on one CPU thread.

    git worktree add ../before COMMIT
    python benchmarks/engine.py ../before [--pairs 7] [--rounds 10]

Two processes, one for each checkout, train the networks of ``child.py`` and take turns, one epoch
each, the first changing from round to round. Seconds are those that a process computed. Where a
process happens to lie in memory makes it some per cent faster or slower, so several pairs of
processes are started. Printed is, for each network, the median over the pairs of the ratio
before / here, itself a median over rounds; above 1, this commit is faster.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from pathlib import Path

CASES = [(cell, data) for cell in (0, 1) for data in ("digits", "photos")]

# What a process does: it reads the number of a case, and writes the seconds of an epoch of it.
WORKER = """
import sys, time
import torch
import child
torch.set_num_threads(1)
device = torch.device("cpu")
digits = child.TASKS["digits"]().load(child.Source(), seed=0)
of = {
    "digits": (digits, child.Recipe(batch_size=64)),
    "photos": (child.synthetic(384), child.Recipe(batch_size=128, crop=4, flip=True)),
}
cells = list(child.CELLS.values())
epochs = [child.contenders(cells[c], *of[d], device)["raynas"] for c, d in %r]
for epoch in epochs:
    epoch()
print("ready", flush=True)
for line in sys.stdin:
    begun = time.process_time()
    epochs[int(line)]()
    print(time.process_time() - begun, flush=True)
"""


class Checkout:
    """A process that trains with the code of one checkout."""

    def __init__(self, folder: Path) -> None:
        path = os.pathsep.join([str(folder), str(folder / "benchmarks")])
        self.process = subprocess.Popen(
            [sys.executable, "-c", WORKER % CASES],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=folder,  # python -c looks there first
            env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        )

    def said(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def seconds(self, case: int) -> float:
        """Train one epoch; return the seconds that it computed."""
        assert self.process.stdin
        self.process.stdin.write(f"{case}\n")
        self.process.stdin.flush()
        return float(self.said())

    def __enter__(self) -> Checkout:
        if self.said() != "ready":
            sys.exit("a process did not start: see its message above")
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()


def ratio(before: Checkout, here: Checkout, case: int, rounds: int) -> float:
    """Return the median over rounds of before / here."""
    found = []
    for turn in range(rounds):
        order = (before, here) if turn % 2 else (here, before)
        took = {one: one.seconds(case) for one in order}
        found.append(took[before] / took[here])
    return statistics.median(found)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("before", type=Path, help="a checkout of another commit")
    parser.add_argument("--pairs", type=int, default=7, help="of processes")
    parser.add_argument("--rounds", type=int, default=10, help="of each pair")
    told = parser.parse_args()
    folder = Path(__file__).resolve().parent.parent
    found: list[list[float]] = [[] for _ in CASES]
    for _ in range(told.pairs):
        with Checkout(told.before.resolve()) as before, Checkout(folder) as here:
            for case, ratios in enumerate(found):
                ratios.append(ratio(before, here, case, told.rounds))
    for (cell, data), ratios in zip(CASES, found, strict=True):
        print(
            f"cell {cell}, {data}: {statistics.median(ratios):.3f} "
            f"({min(ratios):.3f} to {max(ratios):.3f} over {told.pairs} pairs)"
        )


if __name__ == "__main__":
    main()
