"""Searchers compared on a table of recorded trainings, under a virtual clock."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from typing import Any, Final

import numpy as np

from raynas.errors import ConfigError, unknown
from raynas.execution.conductor import Plan
from raynas.execution.simulate import Budget, Cluster, Simulation
from raynas.experiment.references import find_scheduler, find_searcher, find_space
from raynas.experiment.user_code import blamed, load_module
from raynas.insight.regret import Curves, Reached
from raynas.schedulers.run_to_end import RunToEnd
from raynas.tables import TABLES, Table

YARDSTICK: Final = "random"
_POINTS: Final = 31  # of a curve
_ALL_TRIALS: Final = 10**6

Points = list[tuple[float, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What is compared, on what, and with how much.

    Attributes:
        table: A shipped table's name, ``package.module:Class`` or ``file.py:Class``.
        table_options: What to make it with, such as ``data`` and ``dataset``.
        searchers: Under a name of one's own each, a searcher's name or reference.
        searcher_options: The options of each, by the same names.
        scheduler: A scheduler's name or reference.
        scheduler_options: Its options.
        evaluations: Numbers of trainings at which to look; a run ends at the last.
        seconds: Simulated times at which to look; a run ends at the last, if that is sooner.
        epochs: The full length of a trial; none for the longest that the table has.
        workers: Trainings at once.
        seeds: Runs of each searcher.
        first_seed: The seed of the first run; the others follow.
    """

    table: str = "nasbench201"
    table_options: Mapping[str, Any] = field(default_factory=dict)
    searchers: Mapping[str, str] = field(default_factory=lambda: {"evolution": "evolution"})
    searcher_options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    scheduler: str = "none"
    scheduler_options: Mapping[str, Any] = field(default_factory=dict)
    evaluations: Sequence[int] = (25, 50, 100, 150)
    seconds: Sequence[float] = ()
    epochs: int | None = None
    workers: int = 1
    seeds: int = 50
    first_seed: int = 0

    def __post_init__(self) -> None:
        """Check the numbers."""
        if min((*self.evaluations, self.workers, self.seeds), default=0) < 1:
            raise ConfigError("evaluations, workers and seeds must be at least 1")
        if min(self.seconds, default=1) <= 0 or not (self.evaluations or self.seconds):
            raise ConfigError("a bench ends after so many evaluations or seconds, above 0")
        for name in self.searcher_options:
            if name not in self.searchers:
                raise ConfigError(unknown("searcher in this bench", name, self.searchers))

    @property
    def budget(self) -> Budget:
        """At what a run ends."""
        return Budget(max(self.evaluations, default=math.inf), max(self.seconds, default=math.inf))


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one searcher.

    Attributes:
        by_trainings: ``[points, 2]`` validation and test accuracy; NaN where there was nothing.
        by_seconds: Likewise.
        per_proposal: Seconds of real time per trial.
    """

    by_trainings: Points
    by_seconds: Points
    per_proposal: float


def bench(
    settings: Bench, jobs: int = 1, advance: Callable[[], object] = lambda: None
) -> dict[str, Reached]:
    """Run every searcher with every seed; random search too, as the yardstick.

    Args:
        settings: What to compare.
        jobs: Processes to use.
        advance: Called after every run.

    Returns:
        What each reached, by its name.

    Raises:
        ConfigError: Something in the description does not exist or fit.
    """
    names = list(dict.fromkeys((*settings.searchers, YARDSTICK)))
    seeds = range(settings.first_seed, settings.first_seed + settings.seeds)
    todo = [(name, seed) for name in names for seed in seeds]
    runs: dict[str, list[Run]] = {name: [] for name in names}
    for (name, _), run in zip(todo, _mapped(settings, todo, jobs), strict=True):
        runs[name].append(run)
        advance()
    return {name: _reached(settings, of_one) for name, of_one in runs.items()}


def find_table(reference: str, options: Mapping[str, Any]) -> Table:
    """Return the table meant by a name or by ``module:Class``.

    Raises:
        ConfigError: There is no such table, or it cannot be made of the options.
        DataError: Its file is not what it should be.
    """
    where, colon, name = reference.partition(":")
    if reference in TABLES:
        make = partial(TABLES[reference], find_space(reference, {}).space)
    elif not colon and not where.endswith(".py"):
        raise ConfigError(unknown("table", reference, TABLES))
    else:
        module = load_module(where)
        if not hasattr(module, name):
            raise ConfigError(f"{where} holds no {name!r}, asked for by {reference!r}")
        make = getattr(module, name)
    with blamed(f"table {reference!r}"):
        table = make(**options)
    if not isinstance(table, Table):
        raise ConfigError(
            f"a table needs space, lengths, answer, scores and best; {table!r} lacks some"
        )
    return table


def trainings_shown(settings: Bench) -> list[float]:
    """Return the numbers of trainings at which curves have points."""
    last = max(settings.evaluations, default=0)
    between = np.linspace(1, last, _POINTS).astype(int).tolist() if last else []
    return sorted({*between, *settings.evaluations})


def seconds_shown(settings: Bench) -> list[float]:
    """Return the simulated times at which curves have points."""
    last = max(settings.seconds, default=0)
    between = np.linspace(0, last, _POINTS)[1:].tolist() if last else []
    return sorted({*between, *settings.seconds})


def _mapped(settings: Bench, todo: list[tuple[str, int]], jobs: int) -> Iterator[Run]:
    if jobs == 1:
        table = find_table(settings.table, settings.table_options)
        yield from (_run(settings, table, *each) for each in todo)
        return
    # Not forked: who calls this may hold threads.
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_run_alone, [settings] * len(todo), todo)


def _run_alone(settings: Bench, each: tuple[str, int]) -> Run:
    return _run(settings, find_table(settings.table, settings.table_options), *each)


def _run(settings: Bench, table: Table, name: str, seed: int) -> Run:
    scheduler = find_scheduler(settings.scheduler, settings.scheduler_options)
    epochs = settings.epochs or table.lengths[-1]
    scheduler.check(epochs)
    searcher = find_searcher(
        settings.searchers.get(name, YARDSTICK),
        table.space,
        settings.searcher_options.get(name, {}),
    )
    plan = Plan(table.space, searcher, scheduler, _ALL_TRIALS, epochs, seed)
    rungs = () if isinstance(scheduler, RunToEnd) else table.lengths
    simulation = Simulation(plan, Cluster(table, settings.workers, rungs), settings.budget)
    began = time.perf_counter()
    by_trainings, by_seconds = _traced(simulation, table, settings)
    spent = time.perf_counter() - began
    return Run(by_trainings, by_seconds, spent / max(1, len(simulation.history.trials)))


def _traced(simulation: Simulation, table: Table, settings: Bench) -> tuple[Points, Points]:
    """Let a simulation happen; return what was recommended at each point of the two curves."""
    trainings, seconds = deque(trainings_shown(settings)), deque(seconds_shown(settings))
    by_trainings: Points = []
    by_seconds: Points = []
    for moment in simulation:
        passed_trainings = _passed(trainings, moment.trainings)
        passed_seconds = _passed(seconds, math.nextafter(moment.until, 0))
        if passed_trainings or passed_seconds:
            scores = _recommended(simulation, table)
            by_trainings += [scores] * passed_trainings
            by_seconds += [scores] * passed_seconds
    scores = _recommended(simulation, table)  # a search that ended early stays where it is
    return by_trainings + [scores] * len(trainings), by_seconds + [scores] * len(seconds)


def _passed(points: deque[float], now: float) -> int:
    """Take those up to ``now`` off the front; return how many."""
    count = 0
    while points and points[0] <= now:
        points.popleft()
        count += 1
    return count


def _recommended(simulation: Simulation, table: Table) -> tuple[float, float]:
    trial = simulation.conductor.recommended
    if trial is None:
        return math.nan, math.nan
    scores = table.scores(trial.architecture)
    return scores.valid, scores.test


def _reached(settings: Bench, runs: list[Run]) -> Reached:
    by_trainings = np.array([run.by_trainings for run in runs]).reshape(len(runs), -1, 2)
    by_seconds = np.array([run.by_seconds for run in runs]).reshape(len(runs), -1, 2)
    return Reached(
        Curves(tuple(trainings_shown(settings)), by_trainings[..., 0], by_trainings[..., 1]),
        Curves(tuple(seconds_shown(settings)), by_seconds[..., 0], by_seconds[..., 1]),
        np.array([run.per_proposal for run in runs]),
    )
