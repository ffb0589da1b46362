"""What searchers reached on a table, compared: means, spreads, and differences with intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean, and where it lies with a confidence of 95 % (Student's t).

    Attributes:
        mean: Of what was observed.
        low: The lower end.
        high: The upper end.
    """

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Floats) -> Interval | None:
        """Return the interval of ``[runs]`` values; none of fewer than two, or with a gap."""
        runs = len(values)
        if runs < 2 or np.isnan(values).any():
            return None
        from scipy.stats import t  # noqa: PLC0415 - slow to load

        mean = float(values.mean())
        half = float(t.ppf(0.975, runs - 1) * values.std(ddof=1) / np.sqrt(runs))
        return cls(mean, mean - half, mean + half)


@dataclass(frozen=True, slots=True)
class Curves:
    """What a searcher would have handed over, run by run, as its budget was spent.

    Attributes:
        spent: ``[points]`` trainings, or simulated seconds.
        valid: ``[runs, points]`` validation accuracy (a fraction) after full training; NaN where
            a run had nothing yet, or did not get so far.
        test: ``[runs, points]`` test accuracy, likewise.
    """

    spent: tuple[float, ...]
    valid: Floats
    test: Floats

    def summary(self, spent: float) -> dict[str, float | None]:
        """Return means and sample standard deviations over the runs, at one of the points.

        None stands where not every run has a value, and for the deviation of a single run.
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
        """Return by how much the test accuracy is above another's, seed by seed."""
        mine, theirs = self.spent.index(spent), other.spent.index(spent)
        return Interval.of(self.test[:, mine] - other.test[:, theirs])


@dataclass(frozen=True, slots=True)
class Reached:
    """A searcher's runs on one table.

    Attributes:
        by_trainings: By how many trainings had ended.
        by_seconds: By simulated time.
        ms_per_trial: Milliseconds of one core that the simulation took per trial, nearly all of
            them for proposing it; the mean over the runs.
        stopped: Trainings that the scheduler ended early, in all runs.
    """

    by_trainings: Curves
    by_seconds: Curves
    ms_per_trial: float
    stopped: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """Searchers on one table.

    Attributes:
        name: What they searched on.
        best: The highest test accuracy there is.
        reached: What each of them reached, by name.
        yardstick: The name of the one that the others are compared with.
        trainings: The points of ``by_trainings`` that are summed up.
        seconds: The points of ``by_seconds`` that are summed up.
    """

    name: str
    best: float
    reached: Mapping[str, Reached]
    yardstick: str
    trainings: tuple[float, ...]
    seconds: tuple[float, ...]

    @property
    def fractions(self) -> bool:
        """Whether all scores can be fractions, which people read in per cent."""
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
        """Return everything by searcher, ready for JSON."""
        base = self.reached[self.yardstick]
        return {
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
