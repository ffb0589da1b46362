"""How long a small search takes from the command line to the prompt, and where the seconds go.

``raynas search --space mlp --trials 2 --epochs 1`` trains for a fifth of a second: all the rest is
start and end. Each checkout is run several times, in turn with the others and with Ray alone
(``ray.init``, one actor that imports torch, ``ray.shutdown``), each in a process of its own. The
first round only warms the disk's cache and does not count. Printed are medians, in seconds from
the start of the command, and the processor seconds of all processes together: these depend less
on what else the machine does.

    python benchmarks/start.py                      # this checkout
    python benchmarks/start.py /tmp/before .        # two, beside each other
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

SEARCH = ("-m", "raynas", "search", "--space", "mlp", "--trials", "2", "--epochs", "1")
RAY_ALONE = """
import ray
ray.init(address="local", include_dashboard=False, log_to_driver=False, logging_level="ERROR")
print("workers", flush=True)
@ray.remote
class Actor:
    def load(self):
        import torch
ray.get(Actor.remote().load.remote())
print("trial", flush=True)
ray.shutdown()
"""
MARKS = {  # what a line begins with, and what its first appearance means
    "at most": "workers",
    "workers": "workers",
    "trial": "first report",
    "training the winner": "all reports",
    "the winner is trained": "winner tested",
    "winner:": "winner told",
}
SHOWN = (*dict.fromkeys(MARKS.values()), "prompt", "CPU")


def timed(command: Sequence[str], environment: Mapping[str, str]) -> dict[str, float]:
    """Run Python with these arguments; return when what was seen, and the processor seconds."""
    seen: dict[str, float] = {}
    with TemporaryDirectory(prefix="raynas") as folder:
        began = time.perf_counter()
        started = subprocess.Popen(
            [sys.executable, *command],
            cwd=folder,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        processors, lines = Processors(started.pid), []
        for line in started.stdout or ():
            lines.append(line)
            for beginning, mark in MARKS.items():
                if line.startswith(beginning):
                    seen.setdefault(mark, time.perf_counter() - began)
        status = started.wait()
        seen["prompt"] = time.perf_counter() - began
        if status:
            sys.exit(f"{' '.join(command)} ended with {status}:\n{''.join(lines)}")
        seen["CPU"] = processors.total()
    return seen


class Processors:
    """Adds up what a process and all that descend from it take of the processors, as they run.

    Ray's workers are nobody's to wait for, so that the kernel's own sum leaves them out.
    """

    def __init__(self, root: int) -> None:
        """Begin to look."""
        self._family, self._spent = {root}, dict[int, float]()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def total(self) -> float:
        """Wait until all have ended; return their seconds."""
        while self._alive() and not self._over.wait(0.05):
            pass
        self._over.set()
        self._thread.join()
        return sum(self._spent.values())

    def _look(self) -> None:
        while not self._over.wait(0.05):
            self._alive()

    def _alive(self) -> bool:
        alive = False
        for file in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                fields = file.read_text().rpartition(")")[2].split()
                pid, parent = int(file.parent.name), int(fields[1])
                if pid in self._family or parent in self._family:
                    self._family.add(pid)
                    self._spent[pid] = sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")
                    alive = alive or fields[0] not in "ZX"
        return alive


def main() -> None:
    """Run everything in turn and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkouts", nargs="*", type=Path, default=[Path()])
    parser.add_argument("--runs", type=int, default=5)
    given = parser.parse_args()
    arms = {
        str(path): ((*SEARCH, "--output", "run"), {"PYTHONPATH": str(path.resolve())})
        for path in given.checkouts
    }
    arms["Ray alone"] = (("-c", RAY_ALONE), {"RAY_USAGE_STATS_ENABLED": "0"})
    times: dict[str, list[dict[str, float]]] = defaultdict(list)
    for turn in range(given.runs + 1):
        for name, (command, environment) in arms.items():
            found = timed(command, environment)
            if turn:
                times[name].append(found)
    print(f"{'medians of ' + str(given.runs):24}" + "".join(f"{mark:>15}" for mark in SHOWN))
    for name, runs in times.items():
        cells = [[run[mark] for run in runs if mark in run] for mark in SHOWN]
        print(f"{name[-24:]:24}" + "".join(f"{median(c):15.1f}" if c else " " * 15 for c in cells))


if __name__ == "__main__":
    main()
