"""How long a search is going to take, from how long an epoch takes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from raynas.execution.plan import Plan
from raynas.execution.simulate import Budget, Cluster, Simulation
from raynas.insight.preflight import Forecast
from raynas.searchers.random import RandomSearch
from raynas.space import Architecture, Space
from raynas.tables import Recorded
from raynas.tables.table import Scores

_PLAYED: Final = 5  # searches
_MOST_EPOCHS: Final = 10_000  # of one of them; longer searches are scaled up


@dataclass(frozen=True, slots=True)
class Sketch:
    """Trainings that never were: random curves, at the pace of those that were timed.

    The accuracy rises towards a random end, and trials keep their order: where real curves cross,
    schedulers that compare stop somewhat more trials. Ends are drawn uniformly, for to compare
    nothing else matters.

    Attributes:
        space: Where the architectures live.
        epochs: The full length of a trial.
        pace: Seconds per epoch, of each architecture timed.
    """

    space: Space
    epochs: int
    pace: Sequence[float]

    @property
    def inherits(self) -> bool:
        """Whether trainings may go on from others, as a population's children do."""
        return True

    @property
    def lengths(self) -> tuple[int, ...]:
        """All lengths up to the full one."""
        return tuple(range(1, self.epochs + 1))

    @property
    def best(self) -> float:
        """The highest accuracy there can be."""
        return 1.0

    def answer(self, architecture: Architecture, epochs: int, draw: int) -> Sequence[Recorded]:  # noqa: ARG002 - as a table
        """Return a look after every epoch."""
        rng = np.random.default_rng(draw)
        end, seconds = rng.random(), float(rng.choice(np.asarray(self.pace)))
        return [
            Recorded(epoch, {"val_accuracy": end * epoch / (epoch + 1)}, seconds)
            for epoch in range(1, epochs + 1)
        ]

    def scores(self, architecture: Architecture) -> Scores:  # noqa: ARG002 - as a table
        """Return that nothing is known."""
        return Scores(math.nan, math.nan)


def forecast(plan: Plan, scheduler: str, workers: int, pace: Sequence[float]) -> Forecast:
    """Play a search through a few times, with its own scheduler, and say what it took.

    Architectures are drawn at random; as in a search, one met again is not trained again.

    Args:
        plan: The search.
        scheduler: What people call its scheduler.
        workers: Trials at once.
        pace: Seconds per epoch, of some architectures.
    """
    count = int(min(plan.trials, _MOST_EPOCHS))  # a search that only time ends has no number
    full = count * plan.epochs
    trials = max(1, min(count, _MOST_EPOCHS // plan.epochs))
    table = Sketch(plan.space, plan.epochs, pace)
    epochs = seconds = 0.0
    for seed in range(_PLAYED):
        played = replace(plan, searcher=RandomSearch(plan.space), trials=trials, seed=seed)
        simulation = Simulation(played, Cluster(table, workers), Budget(trials))
        for moment in simulation:
            end = moment.since
        seconds += end
        trained = (trial for trial in simulation.history.trials.values() if trial.trained)
        epochs += sum(len(trial.reports) for trial in trained)
    larger = count / trials / _PLAYED
    mean = math.fsum(pace) / len(pace)
    return Forecast(
        trials=count,
        epochs=plan.epochs,
        scheduler=scheduler,
        workers=workers,
        full_epochs=full,
        full_seconds=full * mean / min(workers, count),
        epochs_expected=epochs * larger,
        seconds_expected=seconds * larger,
    )
