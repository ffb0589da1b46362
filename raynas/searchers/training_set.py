"""The results of ended trials as a training set for a model of networks."""

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
        trials: The best trial of each network, in the order of the networks' first finish; then
            the networks that only failed.
        targets: ``[networks]``, lower is better; of standard deviation 1, or 0 if all are equal.
        counts: ``[networks]`` how many trainings each target is the mean of.
        scored: How many networks have a score; these are the first rows.
    """

    trials: tuple[Trial, ...]
    targets: NDArray[np.float64]
    counts: NDArray[np.float64]
    scored: int

    def best(self, count: int) -> list[int]:
        """Return the rows of the ``count`` best networks with a score, the best first."""
        order: list[int] = np.argsort(self.targets[: self.scored], kind="stable")[:count].tolist()
        return order

    def contenders(self) -> list[int]:
        """Return the rows of the networks that were trained the longest, the best first.

        Networks with an infinite loss are left out, unless there are no others.
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
    """Return the training set of these ended trials; at least one of them must have a score.

    The target of a training is the logarithm of its rank. So the unit and the spread of the
    objective do not matter, the differences among the best count most, and a trial that a
    scheduler stopped is worse than all that trained longer. Every failed network has the rank
    behind the worst score, however many failed: so similar networks are avoided, and the
    differences between good networks keep their weight.
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
    """Return the trials to learn from: the finished ones, then those that failed."""
    return [*history.finished, *_failures(history)]


def training_trials(history: History, first: int) -> list[Trial]:
    """Return the trials of the latest model; ``due`` says when a model is made again.

    Args:
        history: What happened; at least ``first`` trials have finished.
        first: After how many finished trials the first model is made.
    """
    failures = _failures(history)
    finished = history.finished[: due(len(history.finished), first)]
    return [*finished, *failures[: due(len(failures), 1)]] if failures else finished


def _failures(history: History) -> list[Trial]:
    """Return the failed trials whose networks failed.

    Trials that failed for another reason, and trials that were answered from the history, are
    left out. If a trial failed after it was resumed, its earlier score counts instead.
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
    """A cache of the latest model; it is valid while the model's trials stay the same."""

    def __init__(self, make: Callable[[Sequence[Trial]], Model]) -> None:
        """Begin without a model.

        Args:
            make: Makes a model from trials, and from nothing else.
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
    """Return the number of finished trials for which the latest model is made.

    At first a model is made after every trial, later whenever there are 10 % more trials.

    Args:
        finished: How many have finished, at least ``first``.
        first: After how many the first model is made.
    """
    made = max(first, 1)
    while made + max(1, made // 10) <= finished:
        made += max(1, made // 10)
    return made
