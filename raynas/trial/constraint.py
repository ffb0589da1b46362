"""A constraint: a limit that a metric of a network must keep."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from raynas.errors import ConfigError, unknown


@dataclass(frozen=True, slots=True)
class Constraint:
    """A limit on a metric.

    Attributes:
        metric: The name of the metric in the task's reports, or of a cost.
        limit: The limit, in the metric's unit.
        direction: Whether the metric must be at most (``<=``) or at least (``>=``) the limit.
    """

    metric: str
    limit: float
    direction: Literal["<=", ">="] = "<="

    def excess(self, metrics: Mapping[str, float]) -> float:
        """Return by which share of the limit a metric breaks it; 0 if it is kept.

        Without a limit to compare with (0), it is the difference; for NaN it is infinite.

        Raises:
            ConfigError: The metric is not there.
        """
        if self.metric not in metrics:
            raise ConfigError(f"constraint: {unknown('metric', self.metric, metrics)}")
        sign = 1.0 if self.direction == "<=" else -1.0
        beyond = sign * (metrics[self.metric] - self.limit) / (abs(self.limit) or 1.0)
        return math.inf if math.isnan(beyond) else max(0.0, beyond)

    def broken(self, metrics: Mapping[str, float]) -> str:
        """Return in a sentence how metrics break it; empty if they keep it or do not have it."""
        if self.metric not in metrics or not self.excess(metrics):
            return ""
        return f"{self.metric} must be {self}, got {metrics[self.metric]:.10g}"

    def __str__(self) -> str:
        """Return the limit in words."""
        return f"at {'most' if self.direction == '<=' else 'least'} {self.limit:.10g}"


def violation(constraints: Iterable[Constraint], metrics: Mapping[str, float]) -> float:
    """Return the sum of what metrics exceed, as in ``Constraint.excess``; 0 if all are kept.

    Raises:
        ConfigError: A metric is not there.
    """
    return math.fsum(one.excess(metrics) for one in constraints)


def check_together(constraints: Iterable[Constraint]) -> None:
    """Check that constraints do not contradict each other.

    Raises:
        ConfigError: Two have the same metric and direction, or no value keeps two of them.
    """
    seen: dict[tuple[str, str], Constraint] = {}
    for one in constraints:
        if (one.metric, one.direction) in seen:
            raise ConfigError(
                f"constraints must be given once for each metric and direction, got {one.metric} "
                f"{one.direction} twice: leave one of them out"
            )
        seen[one.metric, one.direction] = one
        most, least = seen.get((one.metric, "<=")), seen.get((one.metric, ">="))
        if most and least and least.limit > most.limit:
            raise ConfigError(
                f"constraints must not contradict each other: {one.metric} cannot be {least} and "
                f"{most}"
            )
