"""Estimate the time of a search from the time of an epoch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from raynas.execution.limits import Limits
from raynas.execution.plan import Plan
from raynas.execution.simulate import Budget, Cluster, Simulation
from raynas.insight.text.preflight import Forecast
from raynas.schedulers.forecast import most_epochs
from raynas.searchers.random import RandomSearch
from raynas.space import Architecture, Space
from raynas.tables import Recorded
from raynas.tables.table import Scores

_PLAYED: Final = 5  # simulated searches
_MOST_EPOCHS: Final = 10_000  # the most epochs of a simulation; results of longer ones are scaled


@dataclass(frozen=True, slots=True)
class RandomCurves:
    """A table of random learning curves, with the measured times of an epoch.

    The accuracy rises towards a random limit, so the curves never cross. Real curves cross, so
    real schedulers stop slightly more trials. The limits are uniform; schedulers only compare
    trials, so any other distribution would give the same decisions.

    Attributes:
        space: The search space.
        epochs: The full length of a trial.
        pace: The seconds per epoch of each timed architecture.
    """

    space: Space
    epochs: int
    pace: Sequence[float]

    @property
    def inherits(self) -> bool:
        """Whether a training may begin with the weights of another one."""
        return True

    @property
    def lengths(self) -> tuple[int, ...]:
        """All lengths up to the full one."""
        return tuple(range(1, self.epochs + 1))

    @property
    def best(self) -> float:
        """The highest possible accuracy."""
        return 1.0

    def answer(self, architecture: Architecture, epochs: int, draw: int) -> Sequence[Recorded]:  # noqa: ARG002 - as a table
        """Return a random learning curve, with one record for each epoch."""
        rng = np.random.default_rng(draw)
        end, seconds = rng.random(), float(rng.choice(np.asarray(self.pace)))
        return [
            Recorded(epoch, {"val_accuracy": end * epoch / (epoch + 1)}, seconds)
            for epoch in range(1, epochs + 1)
        ]

    def scores(self, architecture: Architecture) -> Scores:  # noqa: ARG002 - as a table
        """Return NaN: the scores of an architecture are not known."""
        return Scores(math.nan, math.nan)


def forecast(
    plan: Plan, scheduler: str, workers: int, pace: Sequence[float], gpus: float = 0.0
) -> Forecast:
    """Simulate a search a few times, with its own scheduler, and return the mean costs.

    Architectures are drawn at random. As in a search, no architecture is trained twice.

    Args:
        plan: The search.
        scheduler: The name of its scheduler, for the user.
        workers: The number of trials that run at once.
        pace: The seconds per epoch of some architectures.
        gpus: The GPUs of each trial.
    """
    held = workers * gpus
    time = min(plan.limits.time, 3600 * plan.limits.gpu_hours / held if held else math.inf)
    most = most_epochs(plan.scheduler, plan.trials, plan.epochs)
    at_once = min(workers, most / plan.epochs)
    mean = math.fsum(pace) / len(pace)
    full = min(most, time * at_once / mean)
    trials, epochs, seconds = _expected(plan, workers, pace, time)
    return Forecast(
        trials=None if plan.trials == math.inf else int(plan.trials),
        epochs=plan.epochs,
        scheduler=scheduler,
        workers=workers,
        time=None if time == math.inf else time,
        full_trials=math.ceil(full / plan.epochs),
        full_epochs=math.floor(full),
        full_seconds=min(time, max(full * mean / at_once, plan.epochs * max(pace))),
        trials_expected=trials,
        epochs_expected=epochs,
        seconds_expected=seconds,
    )


def _expected(
    plan: Plan, workers: int, pace: Sequence[float], time: float
) -> tuple[float, float, float]:
    """Return the mean trials, epochs and seconds of searches with random learning curves.

    If a search is too long to simulate, its beginning is simulated, and the results are scaled.
    """
    most = max(1, int(min(plan.trials, _MOST_EPOCHS // plan.epochs)))
    table, limits = RandomCurves(plan.space, plan.epochs, pace), Limits(time=time)
    trained = epochs = 0
    seconds, cut = 0.0, False
    for seed in range(_PLAYED):
        searcher = RandomSearch(plan.space)
        played = replace(plan, searcher=searcher, trials=most, seed=seed, limits=limits)
        simulation = Simulation(played, Cluster(table, workers), Budget(most))
        seconds += max(moment.since for moment in simulation)
        reports = [len(t.reports) for t in simulation.history.trials.values() if t.trained]
        trained, epochs = trained + len(reports), epochs + sum(reports)
        cut |= len(reports) >= most
    larger = 1 / _PLAYED
    if cut and most < plan.trials:
        bounds = (
            (plan.trials, trained),
            (time, seconds),
            (most_epochs(plan.scheduler, plan.trials, plan.epochs), epochs),
            (plan.space.size, trained),
        )
        larger = max(larger, min(bound / reached for bound, reached in bounds))
    return trained * larger, epochs * larger, seconds * larger
