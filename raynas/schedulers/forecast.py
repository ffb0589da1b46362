"""A forecast of how many epochs a scheduler will train, before a search begins.

Assumptions: trials come in random order of quality, independently at every rung; no trial fails;
no trial is answered by an earlier one.
"""

from __future__ import annotations

import math
from bisect import insort
from typing import Final, Protocol, runtime_checkable

import numpy as np

from raynas.schedulers.asha import ASHA, PromotingASHA
from raynas.schedulers.brackets import Hyperband, Shape, SuccessiveHalving
from raynas.schedulers.moasha import MOASHA
from raynas.schedulers.pbt import PBT
from raynas.schedulers.run_to_end import RunToEnd
from raynas.schedulers.rungs import Rungs

_SHUFFLES: Final = 32


@runtime_checkable
class Forecaster(Protocol):
    """A user's scheduler that can forecast its own training."""

    def expected_epochs(self, trials: int, epochs: int) -> float:
        """Return the expected number of epochs of so many trials together."""


def expected_epochs(scheduler: object, trials: int, epochs: int) -> float | None:
    """Return the expected epochs of a search; none if they depend on the scores.

    Args:
        scheduler: The scheduler.
        trials: How many trials there will be.
        epochs: The full length of each.
    """
    match scheduler:
        case Forecaster():
            return scheduler.expected_epochs(trials, epochs)
        case RunToEnd():
            return trials * epochs
        case ASHA() | MOASHA():
            return _asha(Rungs(scheduler.grace_epochs, scheduler.eta), trials, epochs)
        case PromotingASHA():
            return _promoting(Rungs(scheduler.grace_epochs, scheduler.eta), trials, epochs)
        case PBT() | SuccessiveHalving() | Hyperband():
            return most_epochs(scheduler, trials, epochs)
        case _:
            return None


def most_epochs(scheduler: object, trials: float, epochs: int) -> float:
    """Return the largest possible number of epochs of a search; infinite for infinite trials.

    Args:
        scheduler: The scheduler.
        trials: How many trials there are at most; may be infinite.
        epochs: The full length of each.
    """
    match scheduler:
        case PBT():  # a child continues at the epoch of the trial that it replaces
            return min(trials, scheduler.population_size) * epochs
        case SuccessiveHalving() | Hyperband() if trials < math.inf:  # whatever the scores are
            return _brackets([*scheduler.shapes(epochs)], int(trials), epochs)
        case _:
            return trials * epochs


def _asha(rungs: Rungs, trials: int, epochs: int) -> float:
    """Count epochs: the nth trial at a rung continues if it ranks among the first n / eta."""
    total, arrived, trained = 0.0, float(trials), 0
    for rung in rungs.below(epochs):
        total += arrived * (rung - trained)
        whole = math.floor(arrived)
        passed = math.fsum(math.ceil(n / rungs.eta) / n for n in range(1, whole + 1))
        arrived, trained = passed + (arrived - whole) / rungs.eta, rung
    return total + arrived * (epochs - trained)


def _promoting(rungs: Rungs, trials: int, epochs: int) -> float:
    """Count epochs: a trial is promoted if it ever ranks among the first n / eta of n."""
    total, arrived, trained = 0.0, float(trials), 0
    for rung in rungs.below(epochs):
        total += arrived * (rung - trained)
        arrived, trained = _ever_first(round(arrived), rungs.eta), rung
    return total + arrived * (epochs - trained)


def _ever_first(count: int, eta: int) -> float:
    """Return how many trials that is on average, of ``count`` trials in random order."""
    rng = np.random.default_rng(0)
    total = 0
    for _ in range(_SHUFFLES):
        ranked: list[int] = []
        first: set[int] = set()
        for one in rng.permutation(count).tolist():
            insort(ranked, one)
            if size := len(ranked) // eta:  # only the new trial and the last one can be new here
                first |= {ranked[size - 1], min(one, ranked[size - 1])}
        total += len(first)
    return total / _SHUFFLES


def _brackets(shapes: list[Shape], trials: int, epochs: int) -> float:
    """Count epochs bracket by bracket; the last bracket may be incomplete."""
    total, bracket = 0, 0
    while trials > 0:
        shape = shapes[bracket % len(shapes)]
        begun = min(trials, shape.size)
        arrived, trained = begun, 0
        for rung, keep in shape.rungs:
            total += arrived * (rung - trained)
            arrived, trained = min(arrived, max(1, keep * begun // shape.size)), rung
        total += arrived * (epochs - trained)
        trials, bracket = trials - begun, bracket + 1
    return total
