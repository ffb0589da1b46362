"""Non-dominated fronts of trials, kept as reports come in.

The update is that of Li et al., 2017 (Efficient Nondomination Level Update, IEEE Transactions on
Cybernetics): a point that enters a front moves the points that it dominates into the next front.
Who dominates whom under constraints is the rule of Deb et al. (2002, NSGA-II, section VI): what
breaks the constraints less dominates, whatever its losses are.
"""

from __future__ import annotations

from bisect import bisect_left

import numpy as np
from numpy.typing import NDArray

from raynas.trial import History, Score

Floats = NDArray[np.float64]


class Fronts:
    """The fronts at each rung of a history."""

    def __init__(self) -> None:
        """Begin without any."""
        self._rungs: dict[int, Sorted] = {}

    def at(self, history: History, epoch: int) -> Sorted:
        """Return the fronts of the trials that reported after ``epoch``."""
        rung = self._rungs.setdefault(epoch, Sorted())
        for _, score in history.at(epoch).since(len(rung)):
            rung.add(score)
        return rung


class Sorted:
    """Trials in their fronts, the best front first.

    Attributes:
        fronts: The violations and losses in each: ``[trials, 1 + objectives]``.
        low: ``[objectives]`` the least finite loss of all.
        high: ``[objectives]`` the greatest.
    """

    def __init__(self) -> None:
        """Begin without trials."""
        self.fronts: list[Floats] = []
        self.low = self.high = np.array(np.nan)
        self._count = 0

    def __len__(self) -> int:
        """Return how many trials there are."""
        return self._count

    def add(self, score: Score) -> None:
        """Put a trial in its front; NaN counts as the worst value."""
        row = comparable(score)
        seen = np.where(np.isfinite(row), row, np.nan)[1:]
        self.low, self.high = np.fmin(self.low, seen), np.fmax(self.high, seen)
        self._count += 1
        entering, at = row[None], self.front_of(row)
        while len(entering):
            if at == len(self.fronts):
                self.fronts.append(entering)
                return
            there = self.fronts[at]
            pushed = _dominates(entering, there)
            if pushed.all():  # the new points become a front; all later fronts move back
                self.fronts.insert(at, entering)
                return
            self.fronts[at] = np.concatenate([there[~pushed], entering])
            entering, at = there[pushed], at + 1

    def front_of(self, row: Floats) -> int:
        """Return the number of the first front of which none dominates this row."""
        # A point dominated by a member of a front is dominated by a member of each earlier front.
        return bisect_left(self.fronts, 1, key=lambda front: not _dominates(front, row[None])[0])


def comparable(score: Score) -> Floats:
    """Return ``[1 + objectives]``: the violation and the losses, with infinity for NaN."""
    row: Floats = np.array([score.violation, *score.losses])
    return np.where(np.isnan(row), np.inf, row)


def _dominates(rows: Floats, front: Floats) -> NDArray[np.bool_]:
    """Return ``[front]``: whether one of the rows dominates each."""
    broken, losses = rows[:, None, 0], rows[:, None, 1:]
    no_worse = np.all(losses <= front[:, 1:], axis=2)
    better = np.any(losses < front[:, 1:], axis=2)
    alike = (broken == front[:, 0]) & no_worse & better
    return np.asarray(np.any((broken < front[:, 0]) | alike, axis=0))
