"""How much training a scheduler is likely to ask for, before any has been done.

Expected are trials that come in random order of quality, at every rung anew, none of which fails
or is answered by an earlier one.
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
    """A scheduler of one's own that knows how much training it asks for."""

    def expected_epochs(self, trials: int, epochs: int) -> float:
        """Return the epochs that so many trials are likely to train, all together."""


def expected_epochs(scheduler: object, trials: int, epochs: int) -> float | None:
    """Return the epochs that a search is likely to train; none if that depends on the scores.

    Args:
        scheduler: Who decides.
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
    """Return the most epochs that a search can train; infinite where trials are without number.

    Args:
        scheduler: Who decides.
        trials: How many trials there are at most; may be infinite.
        epochs: The full length of each.
    """
    match scheduler:
        case PBT():  # a child trains on from where the one it replaces stood
            return min(trials, scheduler.population_size) * epochs
        case SuccessiveHalving() | Hyperband() if trials < math.inf:  # whatever the scores are
            return _brackets([*scheduler.shapes(epochs)], int(trials), epochs)
        case _:
            return trials * epochs


def _asha(rungs: Rungs, trials: int, epochs: int) -> float:
    """Count who goes on: the nth to reach a rung does if it ranks among the first n / eta."""
    total, arrived, trained = 0.0, float(trials), 0
    for rung in rungs.below(epochs):
        total += arrived * (rung - trained)
        whole = math.floor(arrived)
        passed = math.fsum(math.ceil(n / rungs.eta) / n for n in range(1, whole + 1))
        arrived, trained = passed + (arrived - whole) / rungs.eta, rung
    return total + arrived * (epochs - trained)


def _promoting(rungs: Rungs, trials: int, epochs: int) -> float:
    """Count who is promoted: who has at any time been among the first n / eta of n at a rung."""
    total, arrived, trained = 0.0, float(trials), 0
    for rung in rungs.below(epochs):
        total += arrived * (rung - trained)
        arrived, trained = _ever_first(round(arrived), rungs.eta), rung
    return total + arrived * (epochs - trained)


def _ever_first(count: int, eta: int) -> float:
    """Return how many that is on average, of ``count`` that come in random order."""
    rng = np.random.default_rng(0)
    total = 0
    for _ in range(_SHUFFLES):
        ranked: list[int] = []
        first: set[int] = set()
        for one in rng.permutation(count).tolist():
            insort(ranked, one)
            if size := len(ranked) // eta:  # new among them can be who came and who is the last
                first |= {ranked[size - 1], min(one, ranked[size - 1])}
        total += len(first)
    return total / _SHUFFLES


def _brackets(shapes: list[Shape], trials: int, epochs: int) -> float:
    """Count bracket by bracket; the last may be too small."""
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
