"""Runs beside each other: their best scores after equal budgets, and how sure a difference is.

Runs that differ only in their seed are one arm. Two arms are compared by the differences between
their runs of equal seed, which share the division of the data: the interval is Student's, of the
mean of these differences. Without such pairs it is Welch's, of the difference of the means.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, variance
from typing import Final, Literal

from raynas.insight.plots.clock import elapsed
from raynas.trial import Failed, History, Trial

By = Literal["trials", "epochs", "seconds"]
BUDGETS: Final[tuple[By, ...]] = ("trials", "epochs", "seconds")
_SHARES: Final = (0.25, 0.5, 1.0)  # of the smallest budget, at which runs are compared
_LEVEL: Final = 0.95
_LEAST: Final = 2  # runs, from which a variance can be estimated


@dataclass(frozen=True, slots=True)
class Step:
    """The best trial so far, when a trial has ended.

    Attributes:
        trials: How many trials were trained by then.
        epochs: The epochs of all trials by then.
        seconds: The seconds of search by then.
        best: The best trial; as in the leaderboard, longer training counts first.
    """

    trials: float
    epochs: float
    seconds: float
    best: Trial


@dataclass(frozen=True, slots=True)
class Run:
    """One run of an arm.

    Attributes:
        name: Its folder.
        seed: Its seed.
        history: All its events.
        steps: Its best trial so far, from the first trial with a score to the end.
    """

    name: str
    seed: int
    history: History
    steps: tuple[Step, ...]

    @classmethod
    def of(cls, name: str, seed: int, history: History) -> Run:
        """Return the run of a history."""
        return cls(name, seed, history, tuple(steps(history)))

    def after(self, by: By, budget: float) -> float | None:
        """Return the best score after a budget; none if no trial had ended by then."""
        metric = self.history.objectives[0].metric
        known = [step for step in self.steps if getattr(step, by) <= budget]
        return known[-1].best.metrics[metric] if known else None

    def tested(self, metric: str) -> float | None:
        """Return a test metric of the winner; none if it is not known."""
        return self.history.winner.metrics.get(metric) if self.history.winner else None


@dataclass(frozen=True, slots=True)
class Arm:
    """Runs that differ only in their seed.

    Attributes:
        name: What they are called.
        runs: The runs.
    """

    name: str
    runs: tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class Mean:
    """The mean of a score over the runs of an arm.

    Attributes:
        value: The mean.
        error: Its standard error; none for one run.
        runs: The number of runs in which the score is known.
    """

    value: float
    error: float | None
    runs: int


@dataclass(frozen=True, slots=True)
class Difference:
    """How much larger a score is in one arm than in another.

    Attributes:
        value: The mean difference.
        margin: Half the 95 % interval; none if it cannot be estimated.
        pairs: The number of pairs of equal seed; 0 if the runs are not paired.
    """

    value: float
    margin: float | None
    pairs: int


Score = Callable[[Run], float | None]


def steps(history: History) -> Iterator[Step]:
    """Yield the best trial so far after each trial that was trained and has ended with a score."""
    trials = [trial for trial in history.trials.values() if _scored(trial)]
    trained = [trial for trial in history.trials.values() if trial.trained]
    times = sorted(report.at for trial in trained for report in trial.reports)
    best, epochs = None, 0
    for place, trial in enumerate(sorted(trials, key=_end), start=1):
        while epochs < len(times) and times[epochs] <= _end(trial):
            epochs += 1
        if best is None or trial.rank < best.rank:
            best = trial
        yield Step(place, epochs, elapsed(history, _end(trial)), best)


def budgets(arms: Sequence[Arm], by: By) -> list[float]:
    """Return the budgets at which to compare: up to the smallest one that any run has used."""
    runs = [run for arm in arms for run in arm.runs]
    least = min((getattr(run.steps[-1], by) if run.steps else 0.0 for run in runs), default=0.0)
    if not least:
        return []
    points = (least * share for share in _SHARES)
    return sorted({point if by == "seconds" else max(math.floor(point), 1) for point in points})


def mean(arm: Arm, score: Score) -> Mean | None:
    """Return the mean of a score over the runs in which it is known; none if there is none."""
    known = [value for value in map(score, arm.runs) if value is not None]
    if not known:
        return None
    error = math.sqrt(variance(known) / len(known)) if len(known) >= _LEAST else None
    return Mean(fmean(known), error, len(known))


def difference(first: Arm, second: Arm, score: Score) -> Difference | None:
    """Return how much larger a score is in the first arm; none if it is not known in both."""
    one, other = _by_seed(first, score), _by_seed(second, score)
    shared = sorted(one.keys() & other.keys())
    if len(shared) >= _LEAST or (shared and len(one) == len(other) == 1):
        gaps = [one[seed] - other[seed] for seed in shared]
        return Difference(fmean(gaps), _paired_margin(gaps), len(gaps))
    mine, its = mean(first, score), mean(second, score)
    if mine is None or its is None:
        return None
    return Difference(mine.value - its.value, _margin(mine, its), 0)


def _by_seed(arm: Arm, score: Score) -> Mapping[int, float]:
    """Return the scores by seed, without those of seeds that several runs have."""
    times = Counter(run.seed for run in arm.runs)
    known = {run.seed: score(run) for run in arm.runs if times[run.seed] == 1}
    return {seed: value for seed, value in known.items() if value is not None}


def _paired_margin(gaps: Sequence[float]) -> float | None:
    if len(gaps) < _LEAST:
        return None
    return _quantile(len(gaps) - 1) * math.sqrt(variance(gaps) / len(gaps))


def _margin(one: Mean, other: Mean) -> float | None:
    """Return half of Welch's interval."""
    if one.error is None or other.error is None:
        return None
    squares = one.error**2, other.error**2
    parts = (square**2 / (of.runs - 1) for square, of in zip(squares, (one, other), strict=True))
    spread = math.fsum(parts)
    freedom = sum(squares) ** 2 / spread if spread else math.inf
    return _quantile(freedom) * math.sqrt(sum(squares))


def _quantile(freedom: float) -> float:
    from scipy.stats import t  # noqa: PLC0415 - a third of a second that only intervals need

    return float(t.ppf((1 + _LEVEL) / 2, freedom))


def _scored(trial: Trial) -> bool:
    ended = trial.outcome is not None and not isinstance(trial.outcome, Failed)
    return ended and trial.trained and all(map(math.isfinite, trial.losses))


def _end(trial: Trial) -> float:
    return trial.outcome.at if trial.outcome else 0.0
