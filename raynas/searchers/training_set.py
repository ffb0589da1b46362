"""What ended trials say about networks, as numbers from which a model learns."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import is_
from typing import Final, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from raynas.searchers.selection import rank
from raynas.trial import Failed, History, Trial

Model = TypeVar("Model")
_ROUNDING: Final = 1e-12  # of the largest value


@dataclass(frozen=True, slots=True, eq=False)
class TrainingSet:
    """Networks and how good they turned out, one row per network.

    Attributes:
        trials: The best trial of each, in the order in which networks finished first; then the
            networks that have only failed.
        targets: ``[networks]``, less is better; of deviation 1, or 0 if nothing differs.
        counts: ``[networks]`` how many trainings each target is the mean of.
        scored: How many networks have a score: the first rows.
    """

    trials: tuple[Trial, ...]
    targets: NDArray[np.float64]
    counts: NDArray[np.float64]
    scored: int

    def best(self, count: int) -> list[int]:
        """Return the rows of so many networks with a score, those of better ones first."""
        order: list[int] = np.argsort(self.targets[: self.scored], kind="stable")[:count].tolist()
        return order

    def contenders(self) -> list[int]:
        """Return the rows of the networks that were trained the longest, better ones first.

        Those whose loss is infinite are none, unless there are no others.
        """
        rows = self.best(self.scored)
        longest = max(self.trials[row].epoch for row in rows)
        rows = [row for row in rows if self.trials[row].epoch == longest]
        return [row for row in rows if math.isfinite(self.trials[row].loss)] or rows

    def only(self, rows: Sequence[int]) -> TrainingSet:
        """Return some of the rows, ascending."""
        trials = tuple(self.trials[row] for row in rows)
        scored = bisect_left(rows, self.scored)
        return TrainingSet(trials, self.targets[rows], self.counts[rows], scored)


def training_set(trials: Sequence[Trial]) -> TrainingSet:
    """Return what these ended trials say, at least one of which was trained to a score.

    A training's target is the logarithm of the share of trainings that are no worse. What the
    objective is and how its values spread does not matter then, the differences among the best
    count most, and a trial that a scheduler stopped is worse than all that went on. Who failed has
    the place behind the worst score, however many did: so their like is avoided, and what tells
    good networks from better ones stays as loud.
    """
    failed = [trial for trial in trials if isinstance(trial.outcome, Failed)]
    scored = [trial for trial in trials if not isinstance(trial.outcome, Failed) and trial.trained]
    ranked = sorted(map(rank, scored))
    places: dict[str, list[float]] = {}
    best: dict[str, Trial] = {}
    for trial in scored:
        place = bisect_left(ranked, rank(trial)) + bisect_right(ranked, rank(trial))
        places.setdefault(trial.identity, []).append(place / 2)
        best[trial.identity] = min(best.get(trial.identity, trial), trial, key=rank)
    with_score = len(best)
    for trial in failed:
        places.setdefault(trial.identity, []).append(len(ranked) + 0.5)
        best.setdefault(trial.identity, trial)
    targets = np.array([np.mean(np.log(own)) for own in places.values()])
    return TrainingSet(
        tuple(best.values()),
        (targets - targets.mean()) / deviation(targets),
        np.array([len(own) for own in places.values()], float),
        with_score,
    )


def deviation(values: NDArray[np.float64]) -> float:
    """Return the standard deviation by which to divide: 1 where values differ by rounding only."""
    differ = np.ptp(values) > _ROUNDING * np.abs(values).max()
    return float(values.std()) if differ else 1.0


def ended(history: History) -> list[Trial]:
    """Return the trials that say something: the finished ones, then those that failed."""
    return [*history.finished, *_failures(history)]


def training_trials(history: History, first: int) -> list[Trial]:
    """Return the trials from which a model was to be made for the last time: see ``due``.

    Args:
        history: What happened; at least ``first`` trials have finished.
        first: After how many finished trials the first model is made.
    """
    failures = _failures(history)
    finished = history.finished[: due(len(history.finished), first)]
    return [*finished, *failures[: due(len(failures), 1)]] if failures else finished


def _failures(history: History) -> list[Trial]:
    """Return the failed trials that say something of their network.

    None of those that failed for another reason or were not tried themselves; and of one that
    failed when it was taken up again, what it had shown before counts.
    """
    if not history.failed:
        return []
    scored = {trial.number for trial in history.finished}
    return [
        trial
        for trial in history.failed
        if trial.trained and trial.number not in scored and trial.infeasible
    ]


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
