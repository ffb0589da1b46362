"""Searchers compared on a table of recorded trainings, under a virtual clock."""

from __future__ import annotations

import json
import logging
import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from itertools import repeat
from multiprocessing import get_context
from typing import Any, Final

import numpy as np

from raynas.errors import ConfigError, RaynasError, unknown
from raynas.execution.limits import Limits
from raynas.execution.plan import Plan
from raynas.execution.simulate import Budget, Cluster, Simulation
from raynas.experiment.amounts import objective
from raynas.experiment.bench_runs import Run, Scores, tell
from raynas.experiment.resolve.references import (
    check_seeds,
    find_scheduler,
    find_searcher,
    find_table,
)
from raynas.experiment.resolve.suitability import check_scheduler
from raynas.experiment.resolve.user_code import blamed, own_line
from raynas.insight.regret import Comparison, Curves, Reached
from raynas.schedulers.run_to_end import RunToEnd
from raynas.searchers import check
from raynas.searchers.requirements import Requirements
from raynas.tables import Table
from raynas.tables.checks import scores as scores_of
from raynas.trial import Failed, History, Objective

YARDSTICK: Final = "random"
_POINTS: Final = 31  # of a curve
_ALL_TRIALS: Final = 10**6  # the budget ends a run, not this
_FROM_TABLE: Final = "table"
_LOG = logging.getLogger("raynas")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What is compared, on what, and with how much.

    Attributes:
        table: A shipped table's name, ``package.module:Class``, ``file.py:Class`` or a table.
        table_options: What to make it with, such as ``data`` and ``dataset``.
        searchers: Under a name of your own each, a searcher's name, reference, class or maker.
        searcher_options: The options of each, by the same names. ``features`` may be ``"table"``:
            what the table knows of an architecture without training it.
        scheduler: A scheduler's name, reference or instance.
        scheduler_options: Its options.
        evaluations: Numbers of trainings at which to look; a run ends at the last.
        seconds: Simulated times at which to look; a run ends at the last, if that is sooner.
        epochs: The full length of a trial; none for the longest that the table has.
        workers: Trainings at once.
        seeds: Runs of each searcher.
        first_seed: The seed of the first run; the others follow.
    """

    table: Any = "nasbench201"
    table_options: Mapping[str, Any] = field(default_factory=dict)
    searchers: Mapping[str, Any] = field(default_factory=lambda: {"auto": "auto"})
    searcher_options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    scheduler: Any = "none"
    scheduler_options: Mapping[str, Any] = field(default_factory=dict)
    evaluations: tuple[float, ...] = (25, 50, 100, 150)
    seconds: tuple[float, ...] = ()
    epochs: int | None = None
    workers: int = 1
    seeds: int = 50
    first_seed: int = 0

    def __post_init__(self) -> None:
        """Check the numbers."""
        for name in ("workers", "seeds", "epochs"):
            if (given := getattr(self, name)) is not None and given < 1:
                raise ConfigError(f"{name} must be at least 1, got {given}")
        if self.first_seed < 0:
            raise ConfigError(f"first_seed must not be negative, got {self.first_seed}")
        points = (*self.evaluations, *self.seconds)
        if not points or not all(0 < point < math.inf for point in points):
            raise ConfigError(
                "a bench ends after a number of evaluations or of seconds, each above 0; "
                f"got {list(points)}"
            )
        if self.evaluations and min(self.evaluations) < 1:
            raise ConfigError(f"evaluations must be at least 1, got {min(self.evaluations)}")
        for name in self.searcher_options:
            if name not in self.searchers:
                raise ConfigError(unknown("searcher in this bench", name, self.searchers))

    @property
    def budget(self) -> Budget:
        """After what a run ends."""
        return Budget(max(self.evaluations, default=math.inf), max(self.seconds, default=math.inf))

    @property
    def runs(self) -> int:
        """How many runs there are, those of the yardstick counted."""
        return self.seeds * len({*self.searchers, YARDSTICK})

    def described(self) -> dict[str, Any]:
        """Return the fields as JSON-ready data; an object is described by its ``repr``."""
        return json.loads(json.dumps(asdict(self), default=repr))  # type: ignore[no-any-return]

    @property
    def points(self) -> tuple[list[float], list[float]]:
        """Where curves have points: numbers of trainings, and simulated times."""
        trainings = np.linspace(1, max(self.evaluations, default=1), _POINTS).astype(int).tolist()
        seconds = np.linspace(0, max(self.seconds, default=0), _POINTS)[1:].tolist()
        return (
            sorted({*trainings, *self.evaluations} if self.evaluations else ()),
            sorted({*seconds, *self.seconds} if self.seconds else ()),
        )


def bench(
    settings: Bench, name: str, jobs: int = 1, advance: Callable[[], object] = lambda: None
) -> Comparison:
    """Run every searcher with every seed; random search too, as the yardstick.

    Args:
        settings: What to compare.
        name: How to call what they search on.
        jobs: Processes to use.
        advance: Called after every run.

    Raises:
        RaynasError: Something in the description does not exist or fit, or a searcher or one's own
            table raised.
    """
    table = find_table(settings.table, settings.table_options)
    check_seeds(settings.searchers, settings.seeds)
    names = list(dict.fromkeys((*settings.searchers, YARDSTICK)))
    seeds = range(settings.first_seed, settings.first_seed + settings.seeds)
    todo = [(searcher, seed) for searcher in names for seed in seeds]
    runs: dict[str, list[Run]] = {searcher: [] for searcher in names}
    for (searcher, _), run in zip(todo, _runs(settings, todo, jobs), strict=True):
        runs[searcher].append(run)
        advance()
    reached = {searcher: _reached(settings, of_one) for searcher, of_one in runs.items()}
    tell(settings.scheduler, table, runs)
    comparison = Comparison(
        name,
        float(table.best),
        reached,
        YARDSTICK,
        settings.evaluations,
        settings.seconds,
        _objective(table),
    )
    if (beyond := comparison.beyond) is not None:
        _LOG.warning(
            "the table says that its best test score is %g, but %g was reached: best must be the "
            "best of all architectures, in the units of scores",
            table.best,
            beyond,
        )
    return comparison


def _objective(table: Table) -> Objective:
    """Return what searchers optimise on a table."""
    return objective(getattr(table, "objective", "val_accuracy"))


def _runs(settings: Bench, todo: list[tuple[str, int]], jobs: int) -> Iterator[Run]:
    if jobs == 1:
        yield from (_run(settings, *each) for each in todo)
        return
    # Not forked: who calls this may hold threads, which a fork would leave in mid-air.
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_run, repeat(settings), *zip(*todo, strict=True))


def _run(settings: Bench, name: str, seed: int) -> Run:
    table = find_table(settings.table, settings.table_options)
    epochs = settings.epochs or table.lengths[-1]
    scheduler = find_scheduler(settings.scheduler, settings.scheduler_options)
    options = dict(settings.searcher_options.get(name, {}))
    if options.get("features") == _FROM_TABLE:
        options["features"] = _features(table)
    searcher = find_searcher(settings.searchers.get(name, YARDSTICK), table.space, options, seed)
    if seed == settings.first_seed:  # what is to be said of a searcher is said once
        check(searcher, Requirements((_objective(table),), epochs))
    check_scheduler(scheduler, settings.scheduler, searcher, epochs, _ALL_TRIALS)
    # Recorded trainings that are missing, even the first ones, say nothing about the others.
    limits = Limits(max_failures=_ALL_TRIALS)
    plan = Plan(table.space, searcher, scheduler, _ALL_TRIALS, epochs, seed, limits)
    rungs = () if isinstance(scheduler, RunToEnd) else table.lengths
    cluster = Cluster(table, settings.workers, rungs)
    simulation = Simulation(plan, cluster, settings.budget, (_objective(table),))
    try:
        return _traced(simulation, table, settings)
    except Exception as error:
        if isinstance(error, RaynasError) or own_line(error) is None:
            raise
        with blamed(f"table {settings.table!r}"):
            raise


def _features(table: Table) -> Any:
    if not callable(getattr(table, "features", None)):
        raise ConfigError(
            f"features={_FROM_TABLE} asks for a table that has a method features(architecture), "
            f"and {type(table).__name__} has none"
        )
    return table.features  # type: ignore[attr-defined]


def _traced(simulation: Simulation, table: Table, settings: Bench) -> Run:
    """Let a simulation happen; see at each point what the searcher would hand over."""
    trainings, seconds = map(deque, settings.points)
    by_trainings: Scores = []
    by_seconds: Scores = []
    spent, began = 0.0, time.process_time()
    for moment in simulation:
        spent += time.process_time() - began
        passed = (
            _passed(trainings, moment.trainings),
            _passed(seconds, math.nextafter(moment.until, 0)),
        )
        if any(passed):
            scores = _scores(simulation, table)
            by_trainings += [scores] * passed[0]
            by_seconds += [scores] * passed[1]
        began = time.process_time()
    history = simulation.history
    # A searcher that had nothing more to propose stays where it is; one cut off gets no further.
    rest = _scores(simulation, table) if simulation.exhausted else (math.nan, math.nan)
    return Run(
        by_trainings + [rest] * len(trainings),
        by_seconds + [rest] * len(seconds),
        1000 * spent / max(1, len(history.trials)),
        sum(trial.stopped and trial.trained for trial in history.finished),
        _failures(history),
        len(history.trials),
    )


def _failures(history: History) -> tuple[str, ...]:
    outcomes = (trial.outcome for trial in history.failed)
    return tuple(
        one.reason for one in outcomes if isinstance(one, Failed) and one.answered_by is None
    )


def _passed(points: deque[float], now: float) -> int:
    """Take the points up to ``now`` off the front; return how many."""
    count = 0
    while points and points[0] <= now:
        points.popleft()
        count += 1
    return count


def _scores(simulation: Simulation, table: Table) -> tuple[float, float]:
    trial = simulation.conductor.recommended
    if trial is None:
        return math.nan, math.nan
    scores = scores_of(table, trial.architecture)
    return scores.valid, scores.test


def _reached(settings: Bench, runs: list[Run]) -> Reached:
    def curves(points: list[float], scores: list[Scores]) -> Curves:
        stacked = np.array(scores, np.float64).reshape(len(scores), len(points), 2)
        return Curves(tuple(points), stacked[..., 0], stacked[..., 1])

    trainings, seconds = settings.points
    return Reached(
        curves(trainings, [run.by_trainings for run in runs]),
        curves(seconds, [run.by_seconds for run in runs]),
        float(np.mean([run.ms_per_trial for run in runs])),
        sum(run.stopped for run in runs),
    )
