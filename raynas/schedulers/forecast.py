"""How much training a scheduler is likely to ask for, before any has been done.

Expected are trials that come in random order of quality, at every rung anew, none of which fails
or is answered by an earlier one.
"""

from __future__ import annotations

import math
from typing import Protocol, runtime_checkable

from raynas.schedulers.asha import ASHA, PromotingASHA
from raynas.schedulers.brackets import Hyperband, Shape, SuccessiveHalving
from raynas.schedulers.moasha import MOASHA
from raynas.schedulers.pbt import PBT
from raynas.schedulers.run_to_end import RunToEnd
from raynas.schedulers.rungs import Rungs


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
        case SuccessiveHalving() | Hyperband():
            shapes = scheduler.shapes(epochs)
            return _brackets([*shapes], trials, epochs)
        case PBT():  # a child trains on from where the one it replaces stood
            return min(trials, scheduler.population_size) * epochs
        case _:
            return None


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
    """Count who is promoted: one in eta of those at a rung, and none too early."""
    total, arrived, trained = 0, trials, 0
    for rung in rungs.below(epochs):
        total += arrived * (rung - trained)
        arrived, trained = arrived // rungs.eta, rung
    return total + arrived * (epochs - trained)


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
