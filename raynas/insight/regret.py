"""Compare the results of searchers on a table: means, deviations, and intervals of differences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from raynas.trial import Objective

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and its 95 % confidence interval (Student's t).

    Attributes:
        mean: The mean of the observed values.
        low: The lower end of the interval.
        high: The upper end of the interval.
    """

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Floats) -> Interval | None:
        """Return the interval of ``[runs]`` values; none if there are fewer than 2, or a NaN."""
        runs = len(values)
        if runs < 2 or np.isnan(values).any():
            return None
        from scipy.stats import t  # noqa: PLC0415 - slow to load

        mean = float(values.mean())
        half = float(t.ppf(0.975, runs - 1) * values.std(ddof=1) / np.sqrt(runs))
        return cls(mean, mean - half, mean + half)


@dataclass(frozen=True, slots=True)
class Curves:
    """The accuracy of the network that a searcher recommends, as a function of the spent budget.

    Attributes:
        spent: ``[points]``: the spent budget, in trainings or in simulated seconds.
        valid: ``[runs, points]``: the validation accuracy after full training, a fraction; NaN if
            the run had no finished training yet, or had ended already.
        test: ``[runs, points]``: the test accuracy, in the same form.
    """

    spent: tuple[float, ...]
    valid: Floats
    test: Floats

    def summary(self, spent: float) -> dict[str, float | None]:
        """Return the means and the sample standard deviations over the runs, at one point.

        A mean is none if a run has no value; a deviation also if there is a single run.

        Args:
            spent: One of the points.
        """
        column = self.spent.index(spent)
        figures: dict[str, float | None] = {}
        for name, values in (("valid", self.valid[:, column]), ("test", self.test[:, column])):
            whole = not np.isnan(values).any()
            figures[f"{name}_mean"] = float(values.mean()) if whole else None
            figures[f"{name}_std"] = (
                float(values.std(ddof=1)) if whole and len(values) > 1 else None
            )
        return figures

    def against(self, other: Curves, spent: float) -> Interval | None:
        """Return the interval of the difference of test accuracies, paired by seed.

        Args:
            other: The curves to compare with.
            spent: One of the points of both.
        """
        mine, theirs = self.spent.index(spent), other.spent.index(spent)
        return Interval.of(self.test[:, mine] - other.test[:, theirs])


@dataclass(frozen=True, slots=True)
class Reached:
    """The results of a searcher's runs on one table.

    Attributes:
        by_trainings: The curves as a function of the number of finished trainings.
        by_seconds: The curves as a function of the simulated time.
        ms_per_trial: The CPU time of the simulation per trial, in milliseconds, which is mostly
            the time of the proposal; the mean over the runs.
        stopped: The number of trainings that the scheduler stopped early, in all runs.
    """

    by_trainings: Curves
    by_seconds: Curves
    ms_per_trial: float
    stopped: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """A comparison of searchers on one table.

    Attributes:
        name: The name of the table or data set.
        best: The best test score in the table.
        reached: The results of each searcher, by name.
        yardstick: The name of the searcher with which the others are compared.
        trainings: The points of ``by_trainings`` that are shown.
        seconds: The points of ``by_seconds`` that are shown.
        objective: What is compared; it says whether more is better.
    """

    name: str
    best: float
    reached: Mapping[str, Reached]
    yardstick: str
    trainings: tuple[float, ...]
    seconds: tuple[float, ...]
    objective: Objective

    @property
    def sign(self) -> int:
        """1 if more is better, else -1."""
        return 1 if self.objective.direction == "max" else -1

    @property
    def beyond(self) -> float | None:
        """The best test score that was reached, if it is better than that of the table."""
        top = self.sign * float(max(self.sign * self._tested, default=-np.inf))
        near = np.isclose(top, self.best, rtol=1e-6, atol=0.0)
        return top if self.sign * (top - self.best) > 0 and not near else None

    @property
    def empty(self) -> bool:
        """Whether no run has a score."""
        return not self._tested.size

    @property
    def _tested(self) -> Floats:
        """All test scores that were reached, in no order."""
        reached = [one.by_trainings.test.ravel() for one in self.reached.values()]
        reached += [one.by_seconds.test.ravel() for one in self.reached.values()]
        scores = np.concatenate(reached)
        known: Floats = scores[~np.isnan(scores)]
        return known

    @property
    def fractions(self) -> bool:
        """Whether all scores are between 0 and 1, so that they are shown in percent."""
        curves = [
            values
            for one in self.reached.values()
            for kind in (one.by_trainings, one.by_seconds)
            for values in (kind.valid, kind.test)
        ]
        known = np.concatenate([[self.best], *(values.ravel() for values in curves)])
        known = known[~np.isnan(known)]
        return bool(((known >= 0) & (known <= 1)).all())

    def as_data(self) -> dict[str, Any]:
        """Return what is compared, and the results of each searcher, as data for JSON."""
        base = self.reached[self.yardstick]
        searchers = {
            name: {
                "at": _summed(one.by_trainings, base.by_trainings, self.trainings),
                "at_seconds": _summed(one.by_seconds, base.by_seconds, self.seconds),
                "ms_per_trial": one.ms_per_trial,
                "stopped": one.stopped,
                "curves": {
                    "evaluations": _listed(one.by_trainings),
                    "seconds": _listed(one.by_seconds),
                },
            }
            for name, one in self.reached.items()
        }
        return {"objective": asdict(self.objective), "best": self.best, "searchers": searchers}


def _summed(curves: Curves, base: Curves, points: tuple[float, ...]) -> dict[str, Any]:
    summed: dict[str, Any] = {}
    for spent in points:
        difference = curves.against(base, spent)
        summed[f"{spent:.15g}"] = {
            **curves.summary(spent),
            "test_above_yardstick": difference
            and {"mean": difference.mean, "low": difference.low, "high": difference.high},
        }
    return summed


def _listed(curves: Curves) -> dict[str, Any]:
    def rows(values: Floats) -> list[list[float | None]]:
        return [[None if np.isnan(value) else value for value in row] for row in values.tolist()]

    return {"spent": list(curves.spent), "valid": rows(curves.valid), "test": rows(curves.test)}
