"""Asynchronous successive halving for several objectives.

Schmucker et al., 2021, arXiv:2106.12639, in the variant with an epsilon-net: at a rung, trials
are sorted by non-dominated front; within a front, the next trial is always the one that is
farthest from those before it.

Differs from the paper: this is the stopping variant, with one bracket; distances are scaled by
the range of each objective at the rung, so that units do not matter.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from raynas.schedulers.fronts import Fronts, comparable
from raynas.schedulers.memo import Memo
from raynas.schedulers.rungs import Rungs
from raynas.schedulers.verdict import Verdict
from raynas.trial import History, Report

_TINY: Final = 1e-300  # instead of a range of nothing


@dataclass(frozen=True, slots=True)
class MOASHA:
    """Continue the best 1/eta of each rung, by fronts and by an epsilon-net in the last front.

    With one objective this is ``asha`` with ``recent`` none. A trial with the same losses as one
    that continues also continues.

    Attributes:
        grace_epochs: The first rung, in epochs; no trial is stopped before it.
        eta: Factor between rungs; one of ``eta`` trials continues.

    Raises:
        ConfigError: ``grace_epochs`` is below one, or ``eta`` below two.
    """

    grace_epochs: int = 1
    eta: int = 3
    _fronts: Memo[Fronts] = field(
        default_factory=lambda: Memo(Fronts), init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        """Check the options."""
        Rungs(self.grace_epochs, self.eta).check("moasha")

    def check(self, epochs: int) -> None:
        """Refuse runs that would end before the first rung."""
        Rungs(self.grace_epochs, self.eta).check("moasha", epochs)

    def decide(self, report: Report, history: History) -> Verdict:
        """Stop a trial that is not among the best 1/eta of those at its rung."""
        rungs = Rungs(self.grace_epochs, self.eta)
        if report.epoch not in rungs.below(history.trials[report.number].started.epochs):
            return Verdict.GO
        rung = self._fronts.of(history).at(history, report.epoch)
        own = comparable(history.at(report.epoch)[report.number])
        number = rung.front_of(own)
        front = rung.fronts[number]
        places = math.ceil(len(rung) / self.eta) - sum(map(len, rung.fronts[:number]))
        if places < len(front):
            wide = np.maximum(rung.high - rung.low, _TINY)
            scaled = np.clip((front[:, 1:] - rung.low) / wide, 0, 1)
            front = front[net(np.nan_to_num(scaled, nan=1.0), places)]
        return Verdict.GO if (front == own).all(axis=1).any() else Verdict.STOP


def net(points: NDArray[np.float64], count: int) -> list[int]:
    """Return ``count`` rows, each the farthest from all before it; none if ``count`` is below one.

    The first row has the least first coordinate.

    Args:
        points: ``[n, dimensions]``.
        count: At most ``n``.
    """
    chosen: list[int] = []
    nearest = np.full(len(points), np.inf)
    farthest = int(np.lexsort(points.T[::-1])[0])
    for _ in range(count):
        chosen.append(farthest)
        nearest = np.minimum(nearest, np.linalg.norm(points - points[farthest], axis=1))
        farthest = int(nearest.argmax())
    return chosen
