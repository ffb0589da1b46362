"""The statistics of a network's score: the number of trainings, their mean and its interval."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final

from raynas.insight.wording import metric, plural
from raynas.searchers.recommendation import Estimate, Recommendation
from raynas.trial import Finished, History, Trial

WIDTH: Final = 1.96  # standard errors on either side: 95 %


@dataclass(frozen=True, slots=True)
class Measured:
    """The first objective of a network, over its longest trainings.

    Attributes:
        trainings: The number of these trainings.
        mean: The mean of their scores.
        error: The standard error of the mean. It includes the sampling of the validation
            examples, if the reports contain it, and the noise of training, if any network of the
            run was trained repeatedly. NaN if neither is known.
    """

    trainings: int
    mean: float
    error: float

    @property
    def interval(self) -> tuple[float, float]:
        """The ends of the 95 % interval."""
        return self.mean - WIDTH * self.error, self.mean + WIDTH * self.error


def measured(history: History) -> Mapping[str, Measured]:
    """Return the statistics of each network with a finished training, by identity."""
    name = history.objectives[0].metric
    networks = _trainings(history)
    scores = {one: [trial.metrics[name] for trial in trials] for one, trials in networks.items()}
    noise = _noise([*scores.values()])
    found = {}
    for identity, trials in networks.items():
        stated = fmean(trial.reports[-1].errors.get(name, 0.0) ** 2 for trial in trials)
        error = math.sqrt(stated + noise / len(trials)) or math.nan
        found[identity] = Measured(len(trials), fmean(scores[identity]), error)
    return found


def reason(history: History, chosen: Recommendation) -> str:
    """Return in one line why the winner is not the trial with the best score; empty if it is."""
    best, winner = history.best, chosen.trial
    if best is None or best.number == winner.number:
        return ""
    name = history.objectives[0].metric
    same = best.metrics[name] == winner.metrics[name]
    score = f"the {'same' if same else 'better'} score, {metric(name, best.metrics[name])}"
    line = f"trial {best.number} has {score}, but"
    estimates = chosen.estimates
    if not {best.number, winner.number} <= estimates.keys():
        return f"{line} more is expected of trial {winner.number} on new data"
    found, sign = measured(history), -1 if history.objectives[0].direction == "max" else 1
    said = [
        f"trial {one.number} is expected to reach {_expected(name, estimates[one.number], sign)} "
        f"({plural(found[one.identity].trainings, 'training')}, mean "
        f"{metric(name, found[one.identity].mean)})"
        for one in (winner, best)
    ]
    return f"{line} on new data {said[0]}, and {said[1]}"


def _expected(name: str, estimate: Estimate, sign: int) -> str:
    value, margin = metric(name, sign * estimate.loss), metric(name, WIDTH * estimate.error)
    return f"{value} ± {margin}"


def _trainings(history: History) -> dict[str, list[Trial]]:
    """Return the longest trainings of each network, by identity."""
    found: dict[str, list[Trial]] = defaultdict(list)
    for trial in history.finished:
        if trial.trained and isinstance(history.trials[trial.number].outcome, Finished):
            found[trial.identity].append(trial)
    longest = {one: max(trial.epoch for trial in trials) for one, trials in found.items()}
    return {
        one: [trial for trial in trials if trial.epoch == longest[one]]
        for one, trials in found.items()
    }


def _noise(scores: Sequence[Sequence[float]]) -> float:
    """Return the variance of one training, from the repeated trainings; 0 if there are none."""
    squares = [(one - fmean(own)) ** 2 for own in scores for one in own]
    spare = sum(len(own) - 1 for own in scores)
    return math.fsum(squares) / spare if spare else 0.0
