"""An architecture as numbers: a masked vector for a surrogate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from raynas.space.architecture import Architecture
from raynas.space.decision import Decision
from raynas.space.nodes import Choice
from raynas.space.space import Space
from raynas.space.values import Value


@dataclass(frozen=True, slots=True)
class Vector:
    """An architecture on a fixed set of axes.

    Attributes:
        values: ``[axes]`` float64: one-hot for a choice, [0, 1] for a number, 0 where inactive.
        active: ``[axes]`` bool: whether the axis belongs to an active decision.
    """

    values: NDArray[np.float64]
    active: NDArray[np.bool_]


def axes(space: Space) -> tuple[tuple[str, Value], ...]:
    """Return the meaning of each axis: a path and, for a choice, the option."""
    return tuple(
        (decision.path, option)
        for decision in space.decisions.values()
        for option in (
            decision.domain.values() if isinstance(decision.domain, Choice) else (None,)
        )
    )


def vector(space: Space, architecture: Architecture) -> Vector:
    """Return the architecture on the space's axes."""
    values: list[float] = []
    active: list[bool] = []
    for decision in space.decisions.values():
        here = decision.path in architecture
        row = (
            _features(decision, architecture[decision.path]) if here else [0.0] * _width(decision)
        )
        values.extend(row)
        active.extend([here] * len(row))
    return Vector(np.array(values), np.array(active))


def _width(decision: Decision) -> int:
    return decision.domain.count if isinstance(decision.domain, Choice) else 1


def _features(decision: Decision, value: Value) -> list[float]:
    domain = decision.domain
    if isinstance(domain, Choice):
        return [float(option == value) for option in domain.options]
    return [domain.unit(value)]
