"""What searchers reached on a table, compared: means, spreads, and differences with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Curves:
    """What a searcher would have handed over, run by run, as its budget grew.

    Attributes:
        at: ``[points]`` how much was spent: trainings, or simulated seconds.
        valid: ``[runs, points]`` validation accuracy (a fraction); NaN before a run's first
            training has ended.
        test: ``[runs, points]`` test accuracy, likewise.
    """

    at: tuple[float, ...]
    valid: Floats
    test: Floats

    def point(self, spent: float) -> Mapping[str, float | None]:
        """Return mean and sample standard deviation over the runs; none while a run has nothing.

        Args:
            spent: One of ``at``.
        """
        column = self.at.index(spent)
        figures: dict[str, float | None] = {}
        for name, values in (("valid", self.valid[:, column]), ("test", self.test[:, column])):
            known = not np.isnan(values).any()
            spread = float(values.std(ddof=1)) if len(values) > 1 else 0.0
            figures[f"{name}_mean"] = float(values.mean()) if known else None
            figures[f"{name}_std"] = spread if known else None
        return figures

    def against(self, other: Curves, spent: float) -> Mapping[str, float] | None:
        """Return by how much the test accuracy is higher than another searcher's, seed by seed.

        Args:
            other: What the other reached, with the same seeds.
            spent: One of ``at``, of both.

        Returns:
            ``mean``, and ``low`` and ``high`` of its 95 % interval (Student's t over the paired
            differences); none with fewer than two runs, or while one has nothing.
        """
        mine = self.test[:, self.at.index(spent)]
        differences = mine - other.test[:, other.at.index(spent)]
        runs = len(differences)
        if runs < 2 or np.isnan(differences).any():
            return None
        from scipy.stats import t  # noqa: PLC0415 - slow to load

        mean = float(differences.mean())
        half = float(t.ppf(0.975, runs - 1) * differences.std(ddof=1) / np.sqrt(runs))
        return {"mean": mean, "low": mean - half, "high": mean + half}


@dataclass(frozen=True, slots=True)
class Reached:
    """A searcher's runs on one table.

    Attributes:
        by_trainings: By the number of trainings that had ended.
        by_seconds: By simulated time.
        per_proposal: ``[runs]`` seconds of real time, table and all, per trial.
    """

    by_trainings: Curves
    by_seconds: Curves
    per_proposal: Floats


def as_data(reached: Reached, yardstick: Reached, shown: Mapping[str, Sequence[float]]) -> Any:
    """Return a searcher's results as JSON-ready data.

    Args:
        reached: Its runs.
        yardstick: Those of the searcher it is compared with.
        shown: Which points are summed up: under ``trainings`` and ``seconds``.
    """
    axes = (
        ("at", "trainings", reached.by_trainings, yardstick.by_trainings),
        ("at_seconds", "seconds", reached.by_seconds, yardstick.by_seconds),
    )
    data: dict[str, Any] = {}
    curves: dict[str, Any] = {}
    for name, axis, mine, other in axes:
        data[name] = {
            f"{spent:g}": {**mine.point(spent), "against_random": mine.against(other, spent)}
            for spent in shown[axis]
        }
        curves["evaluations" if axis == "trainings" else axis] = {
            "at": list(mine.at),
            "valid": _listed(mine.valid),
            "test": _listed(mine.test),
        }
    milliseconds = 1000 * float(reached.per_proposal.mean())
    return {**data, "ms_per_proposal": milliseconds, "curves": curves}


def _listed(values: Floats) -> list[list[float | None]]:
    """Return a row per run; JSON knows no NaN."""
    return [[None if np.isnan(value) else float(value) for value in row] for row in values]
