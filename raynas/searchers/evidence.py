"""What finished trials say about networks, as numbers from which a model learns."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import is_
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from raynas.searchers.selection import rank
from raynas.trial import Trial

Model = TypeVar("Model")


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Networks and how good they turned out, one row per network.

    Attributes:
        trials: The best trial of each, in the order in which networks finished first.
        targets: ``[networks]``, less is better; of deviation 1, or 0 if nothing differs.
        counts: ``[networks]`` how many trainings each target is the mean of.
    """

    trials: tuple[Trial, ...]
    targets: NDArray[np.float64]
    counts: NDArray[np.float64]

    def best(self, count: int) -> list[int]:
        """Return the rows of so many networks, those of better ones first."""
        order: list[int] = np.argsort(self.targets, kind="stable")[:count].tolist()
        return order

    def contenders(self) -> list[int]:
        """Return the rows of the networks that were trained the longest, better ones first."""
        longest = max(trial.epoch for trial in self.trials)
        rows = self.best(len(self.trials))
        return [row for row in rows if self.trials[row].epoch == longest]

    def only(self, rows: Sequence[int]) -> Evidence:
        """Return some of the rows."""
        trials = tuple(self.trials[row] for row in rows)
        return Evidence(trials, self.targets[rows], self.counts[rows])


def evidence(trials: Sequence[Trial]) -> Evidence:
    """Return what these finished trials say, at least one of which was trained.

    A training's target is the logarithm of the share of trainings that are no worse. What the
    objective is and how its values spread does not matter then, the differences among the best
    count most, and a trial that a scheduler stopped is worse than all that went on.
    """
    trained = [trial for trial in trials if trial.trained]
    ranked = sorted(map(rank, trained))
    places: dict[str, list[tuple[float, Trial]]] = {}
    for trial in trained:
        place = bisect_left(ranked, rank(trial)) + bisect_right(ranked, rank(trial))
        target = math.log(place / (2 * len(ranked)))
        places.setdefault(trial.identity, []).append((target, trial))
    targets = np.array([np.mean([target for target, _ in own]) for own in places.values()])
    spread = targets.std()
    return Evidence(
        tuple(min(own, key=lambda place: rank(place[1]))[1] for own in places.values()),
        (targets - targets.mean()) / (spread if spread > 0 else 1.0),
        np.array([len(own) for own in places.values()], float),
    )


class Memo(Generic[Model]):
    """The model that was made last, kept while the trials it was made of stay the same."""

    def __init__(self, make: Callable[[Sequence[Trial]], Model]) -> None:
        """Begin without a model.

        Args:
            make: Makes one of trials; of nothing else.
        """
        self._make = make
        self._trials: list[Trial] = []
        self._model: Model | None = None

    def of(self, trials: Sequence[Trial]) -> Model:
        """Return the model of these trials."""
        same = len(trials) == len(self._trials) and all(map(is_, trials, self._trials))
        if self._model is None or not same:
            self._model = self._make(trials)
            self._trials = list(trials)
        return self._model


def due(finished: int, first: int) -> int:
    """Return after how many finished trials a model was to be made anew for the last time.

    At first that is after every trial, later whenever there is a tenth more.

    Args:
        finished: How many have finished, at least ``first``.
        first: After how many the first model is made.
    """
    made = max(first, 1)
    while made + max(1, made // 10) <= finished:
        made += max(1, made // 10)
    return made
