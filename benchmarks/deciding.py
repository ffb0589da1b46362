"""What deciding costs: milliseconds per proposal, and a long search under the virtual clock.

For every searcher in the table, on NAS-Bench-201's space and its published results, on one core:
how long it takes to propose when 100 and when 1,000 different cells have been trained (drawn at
random, and the same for all). ``cold`` is the first proposal of a fresh searcher, which has to
take in all of the history; ``warm`` the median of five more, each after one more training. Each
searcher is measured in a process of its own.

With ``--spaces``, instead: what it takes on average, and at most, to propose each of the first 200
trials on those of the shipped spaces, with scores made up of an effect of every decision.

Then 10,000 trainings of evolution are simulated in a process of their own, no proposal answered
from the history: seconds, and the most memory that the process held.

    python benchmarks/deciding.py nb201.npz [searcher ...]
    python benchmarks/deciding.py nb201.npz reinforce ppo --spaces nasbench201,darts,mobile,mlp
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
import zlib
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"  # before numpy is loaded

FINISHED, MORE, TRIALS = (100, 1000), 5, 200


@dataclass(frozen=True)
class Anew:
    """Trains every proposal, even one that the history could answer."""

    searcher: Any

    def propose(self, history: Any, rng: Any) -> Any:
        return replace(self.searcher.propose(history, rng), repeat=True)


def conducted(data: Path, searcher: str, trials: int, *, anew: bool = False) -> Any:
    """Return a simulation on the published table."""
    from raynas.execution.plan import Plan
    from raynas.execution.simulate import Budget, Cluster, Simulation
    from raynas.schedulers.run_to_end import RunToEnd
    from raynas.searchers import make
    from raynas.tables import TABLES
    from search_spaces.nasbench201 import SPACE

    table = TABLES["nasbench201"](SPACE, data)
    made = Anew(make(searcher, SPACE)) if anew else make(searcher, SPACE)
    plan = Plan(SPACE, made, RunToEnd(), 10**6, 200, seed=0)
    return Simulation(plan, Cluster(table), Budget(trainings=trials))


def proposing(data: Path, searcher: str) -> dict[str, dict[str, float]]:
    """Return milliseconds of a searcher, cold and warm, by the number of finished trainings."""
    from raynas.rng import proposal_rng
    from raynas.searchers import make
    from search_spaces.nasbench201 import SPACE

    simulation = conducted(data, "random", max(FINISHED) + MORE)
    figures: dict[str, dict[str, float]] = {}
    wanted = {finished + more: finished for finished in FINISHED for more in range(MORE + 1)}
    mine: Any = None
    times: list[float] = []
    for moment in simulation:
        if moment.trainings not in wanted:
            continue
        if moment.trainings in FINISHED:
            mine, times = make(searcher, SPACE), []
        rng = proposal_rng(1, len(simulation.history.trials))
        began = time.process_time()
        mine.propose(simulation.history, rng)
        times.append(1000 * (time.process_time() - began))
        figures[str(wanted[moment.trainings])] = {
            "cold": times[0],
            "warm": statistics.median(times[1:] or times),
        }
    return figures


def searching(space: str, searcher: str) -> dict[str, float]:
    """Return milliseconds per proposal of a search on a shipped space."""
    from raynas.rng import proposal_rng
    from raynas.searchers import make
    from raynas.trial import Finished, History, Report, Started

    module = import_module(f"search_spaces.{space}")
    mine, history, times = make(searcher, module.SPACE), History(), []
    for number in range(TRIALS):
        rng = proposal_rng(0, number)
        began = time.process_time()
        one = mine.propose(history, rng).architecture
        times.append(1000 * (time.process_time() - began))
        effects = [zlib.crc32(repr(made).encode()) / 2**32 for made in one.items()]
        history.apply(Started(number, one, module.SPACE.identity(one), 1, seed=0))
        history.apply(Report(number, 1, {"val_accuracy": statistics.fmean(effects)}))
        history.apply(Finished(number))
    return {"mean": statistics.fmean(times), "most": max(times)}


def simulating(data: Path) -> dict[str, float]:
    """Return what 10,000 trainings of evolution take."""
    began = time.perf_counter()
    simulation = conducted(data, "evolution", 10_000, anew=True)
    *_, last = simulation
    return {
        "trainings": last.trainings,
        "seconds": time.perf_counter() - began,
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def alone(*arguments: str) -> Any:
    """Run one measurement in a process of its own."""
    command = [sys.executable, __file__, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(arguments)} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("searchers", nargs="*")
    parser.add_argument("--spaces", default="")
    parser.add_argument("--only", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.only and given.spaces:
        print(json.dumps(searching(given.spaces, given.only)))
        return
    if given.only:
        simulated = given.only == "simulate"
        print(
            json.dumps(simulating(given.data) if simulated else proposing(given.data, given.only))
        )
        return
    from raynas.searchers import SEARCHERS

    if given.spaces:
        spaces = given.spaces.split(",")
        print(f"{'ms per proposal':18}" + "".join(f"{name:>12} mean, most" for name in spaces))
        for searcher in given.searchers or SEARCHERS:
            asked = (str(given.data), "--only", searcher, "--spaces")
            figures = [alone(*asked, name) for name in spaces]
            cells = (f"{one['mean']:17.2f}{one['most']:6.1f}" for one in figures)
            print(f"{searcher:18}" + "".join(cells), flush=True)
        return
    print(f"{'ms per proposal':18}" + "".join(f"{n:>8} cold {n:>8} warm" for n in FINISHED))
    for searcher in given.searchers or SEARCHERS:
        figures = alone(str(given.data), "--only", searcher)
        cells = (figures[str(n)][kind] for n in FINISHED for kind in ("cold", "warm"))
        print(f"{searcher:18}" + "".join(f"{cell:13.2f}" for cell in cells), flush=True)
    figures = alone(str(given.data), "--only", "simulate")
    print(
        "\n{trainings:.0f} simulated trainings of evolution: {seconds:.1f} s, "
        "{megabytes:.0f} MB".format(**figures)
    )


if __name__ == "__main__":
    main()
