"""What grows with a run: decisions, and memory, after 100, 1,000 and 10,000 trials.

Random search with promotion (``asha_promotion``) is simulated on a made-up table: 12 decisions of
four options, nine epochs, no network twice. At each size, trials are added, and for each it is
measured what happens in the process that leads a run. Medians, in milliseconds of processor time:

- ``propose``: a warm searcher proposes, one trial after its last proposal;
- ``next``: the conductor's next trial, random search and the scheduler included;
- ``spec``: what a worker is told of it, with the sweep of checkpoints and what must be kept;
- ``journal``, ``tensorboard``, ``view``: each writes one event;
- ``decide``: a scheduler decides on a report after a rung;
- ``rank correlation``: of four proxies with what was trained;
- ``limits``: whether a target is reached.

``recommend`` is how many times the searcher was asked for the winner while those trials started.
``bytes per report`` is what a history of trials of 100 epochs holds for each report (six metrics,
two errors), ``bytes per trial`` what it holds for each trial beside its reports. ``memos`` are the
kilobytes that each searcher keeps by then.

    python benchmarks/growth.py [100 1000 10000]
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"  # before numpy is loaded

from growth_search import (  # noqa: E402
    PAST,
    SPACE,
    Counting,
    Instead,
    Stopwatch,
    measured,
    simulated,
    worth,
)
from rich.console import Console  # noqa: E402

from raynas.execution.limits import Limits, Target  # noqa: E402
from raynas.execution.simulate import Simulation  # noqa: E402
from raynas.experiment.experiment import Experiment  # noqa: E402
from raynas.experiment.run.folder import checkpoints  # noqa: E402
from raynas.experiment.run.search import trial_spec  # noqa: E402
from raynas.insight.board.tensorboard import TensorBoard  # noqa: E402
from raynas.insight.text.progress import View  # noqa: E402
from raynas.journal import Journal  # noqa: E402
from raynas.rng import proposal_rng  # noqa: E402
from raynas.searchers import SEARCHERS, make  # noqa: E402
from raynas.searchers.rank_correlation import rank_correlation  # noqa: E402
from raynas.trial import Finished, History, Objective, Started  # noqa: E402

LONG, MORE = 100, 7
ASKED = ("random", "evolution", "auto", "optuna")
DECIDING = ("asha", "asha_promotion", "median", "hyperband", "moasha")


def grown(simulation: Simulation, sizes: Sequence[int], more: int) -> Iterator[int]:
    """Run; yield each size for some moments after there were so many trials, then 0."""
    wanted, seen = iter(sizes), 0
    size, left = next(wanted), more
    for _ in simulation:
        trials = len(simulation.history.trials)
        if trials < size or trials == seen:
            continue
        seen = trials
        yield size
        left -= 1
        if not left:
            yield 0
            size, left = next(wanted, 0), more
            if not size:
                return


def proposing(searcher: str, sizes: Sequence[int]) -> dict[str, dict[str, float]]:
    """Return how long a searcher takes, by size, and the kilobytes of its memos."""
    simulation, found = simulated(Counting(), "asha_promotion"), {}
    watch, mine, held = Stopwatch(), make(searcher, SPACE), 0
    label = f"propose, {searcher}"
    for size in grown(simulation, sizes, MORE):
        history = simulation.history
        rng = proposal_rng(1, len(history.trials))
        if size and not watch.times:  # the first one takes in all of the history
            gc.collect()
            tracemalloc.start()
            mine.propose(history, rng)
            gc.collect()
            held = tracemalloc.get_traced_memory()[0]
            tracemalloc.stop()
            watch.times[label] = []
        elif size:
            watch.of(label, mine.propose, history, rng)
        else:
            found[str(min(sizes, key=lambda one: abs(one - len(history.trials))))] = {
                **watch.medians(),
                f"memos, {searcher}, kB": held / 1024,
            }
            watch, mine = Stopwatch(), make(searcher, SPACE)
    return found


def deciding(scheduler: str, sizes: Sequence[int]) -> dict[str, dict[str, float]]:
    """Return how long a scheduler takes to decide on a report, by size."""
    simulation, found = simulated(Counting(), scheduler), {}
    watch, mine = Stopwatch(), simulation.conductor.plan.scheduler
    timed = partial(watch.of, f"decide, {scheduler}", mine.decide)
    guarded = simulation.conductor._guidance  # noqa: SLF001 - who calls the scheduler
    guarded.scheduler = Instead(mine, decide=timed)
    size, wanted = 0, list(sizes)
    for _ in simulation:
        trials = len(simulation.history.trials)
        if not size and trials >= wanted[0]:
            size = wanted.pop(0)
            watch.times.clear()
        if size and trials >= size + 50:
            found[str(size)] = watch.medians()
            size = 0
            if not wanted:
                return found
    return found


class Driver:
    """Does what the process that leads a run does, in a run folder, and times it."""

    def __init__(self, folder: Path) -> None:
        """Begin a run."""
        self.searcher, self.watch, self.timing = Counting(), Stopwatch(), False
        self.simulation = simulated(self.searcher, "asha_promotion")
        self.conductor: Any = self.simulation.conductor
        self.history, self.plain_next = self.simulation.history, self.conductor.next
        self.experiment = Experiment(output=folder / "run")
        self.journal = Journal(self.experiment.output)
        self.journal.begin({"objectives": [asdict(Objective())]})
        self.files = checkpoints(self.experiment.output)
        self.files.folder.mkdir()
        self.board = TensorBoard(self.experiment.output, SPACE.decisions, (Objective(),))
        self.view = View(Console(file=StringIO()), PAST, time.time)
        self.limits = Limits(target=Target(Objective(), 2.0), max_failures=5)
        self.conductor.record = self.record
        self.simulation.conductor = Instead(self.conductor, next=self.next)  # type: ignore[assignment]

    def record(self, event: Any) -> None:
        """Do what is done with every event."""
        kind = type(event).__name__.lower()
        self.history.apply(event)
        if self.timing:
            self.watch.of("journal", self.journal.append, event)
            self.watch.of("tensorboard", self.board.write, event, self.history)
        if self.timing or kind in {"finished", "failed"}:
            self.watch.of(f"view, {kind}", self.view.write, event, self.history)

    def next(self) -> Any:
        """Do what is done with every trial that starts."""
        trial = self.watch.of("next", self.plain_next)
        if self.timing and trial:
            self.files.of(trial.number).touch()
            self.watch.of("spec", trial_spec, self.experiment, self.conductor, trial)
            self.watch.of("limits", self.limits.reached, self.history)
            self.watch.of("rank correlation", rank_correlation, self.history)
        return trial

    def begin_timing(self) -> None:
        """Time from now on; the folder holds the checkpoints that are needed."""
        self.timing, self.searcher.asked = True, 0
        self.board._begun = True  # noqa: SLF001 - it has nothing to catch up on
        for number in self.conductor.needed:
            self.files.of(number).touch()
        self.watch.times.clear()

    def end_timing(self) -> dict[str, float]:
        """Return the medians."""
        self.timing = False
        self.board.close()
        return {**self.watch.medians(), "recommend, times": float(self.searcher.asked)}


def starting(sizes: Sequence[int]) -> dict[str, dict[str, float]]:
    """Return what happens in the driver when a trial starts, reports and ends, by size."""
    found, wanted = {}, list(sizes)
    with tempfile.TemporaryDirectory() as folder:
        driver = Driver(Path(folder))
        for _ in driver.simulation:
            trials = len(driver.history.trials)
            if not driver.timing and trials >= wanted[0]:
                driver.begin_timing()
            elif driver.timing and trials >= wanted[0] + 60:
                found[str(wanted.pop(0))] = driver.end_timing()
                if not wanted:
                    break
        driver.journal.close()
    return found


def remembering(sizes: Sequence[int]) -> dict[str, dict[str, float]]:
    """Return what a history holds, by size; of 10,000 trials of 100 epochs a tenth is measured."""
    found = {}
    _history(2, 2)  # loads what is needed
    for size in sizes:
        trials = min(size, 1000)
        gc.collect()
        tracemalloc.start()
        history = _history(trials, 1)
        gc.collect()
        short = tracemalloc.get_traced_memory()[0]
        del history
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        history = _history(trials, 1 + LONG)
        gc.collect()
        per_report = (tracemalloc.get_traced_memory()[0] - before - short) / (trials * LONG)
        tracemalloc.stop()
        found[str(size)] = {
            "bytes per report": per_report,
            "bytes per trial": short / trials - per_report,
        }
        del history
    return found


def _history(trials: int, epochs: int) -> History:
    from raynas.execution.ray_tune.trainable import as_event

    history = History()
    rng = proposal_rng(0, 0)
    for number in range(trials):
        architecture = SPACE.sample(rng)
        quality = worth(architecture)
        history.apply(Started(number, architecture, SPACE.identity(architecture), epochs, number))
        for epoch in range(1, epochs + 1):
            metrics, seconds, errors = measured(quality, epoch)
            told: Mapping[str, Any] = json.loads(
                json.dumps(  # as they come from workers: every report anew
                    {
                        "raynas_event": "Report",
                        "raynas/number": number,
                        "raynas/epoch": epoch,
                        "raynas/seconds": seconds,
                        "raynas/at": float(epoch),
                        "raynas/worker": "node:12345",
                        **{f"raynas/metrics/{name}": value for name, value in metrics.items()},
                        **{f"raynas/errors/{name}": value for name, value in errors.items()},
                    }
                )
            )
            history.apply(as_event(told))
        history.apply(Finished(number))
    return history


def alone(what: str, sizes: Sequence[int]) -> Mapping[str, Mapping[str, float]]:
    """Run one measurement in a process of its own."""
    command = [sys.executable, __file__, "--only", what, *map(str, sizes)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{what} failed:\n{done.stderr}")
    said: dict[str, dict[str, float]] = json.loads(done.stdout.splitlines()[-1])
    return said


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    if arguments[:1] == ["--only"]:
        what, sizes = arguments[1], [int(one) for one in arguments[2:]]
        measure: Mapping[str, Callable[..., Any]] = {"start": starting, "memory": remembering}
        if what in measure:
            print(json.dumps(measure[what](sizes)))
        else:
            print(json.dumps((proposing if what in SEARCHERS else deciding)(what, sizes)))
        return
    sizes = [int(one) for one in arguments] or [100, 1000, 10_000]
    print(f"{'':34}" + "".join(f"{size:>10,}" for size in sizes))
    for what in (*ASKED, "start", *DECIDING, "memory"):
        found = alone(what, sizes)
        for name in found[str(sizes[0])]:
            cells = (found[str(size)].get(name, float("nan")) for size in sizes)
            print(f"{name:34}" + "".join(f"{cell:>10.3f}" for cell in cells), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
