"""An architecture as numbers: tokens for a sequence model, a masked vector for a surrogate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from raynas.errors import SpaceError
from raynas.space.architecture import Architecture
from raynas.space.decision import Decision
from raynas.space.nodes import Choice, Value
from raynas.space.space import Space


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
    """Return what each axis stands for: a path and, for a choice, the option."""
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


def token_count(decision: Decision) -> int:
    """Return how many tokens a decision chooses from.

    Raises:
        SpaceError: It decides a real number, for which there are no tokens.
    """
    count = decision.domain.count
    if not math.isfinite(count):
        raise SpaceError(
            f"{decision.path} is a real number and has no tokens: "
            "write it as a Choice of a few numbers to use a sequence controller"
        )
    return int(count)


def tokens(space: Space, architecture: Architecture) -> tuple[int, ...]:
    """Return the index of each decided value in its domain, in walking order.

    Raises:
        SpaceError: The space holds a real number.
    """
    for decision in space.decisions.values():
        token_count(decision)
    return tuple(
        space.decisions[path].domain.values().index(value) for path, value in architecture.items()
    )


def from_tokens(space: Space, sequence: Sequence[int]) -> Architecture:
    """Return the architecture whose tokens are ``sequence``.

    Raises:
        SpaceError: The sequence is too short or too long, or a token is out of range.
    """
    left = list(reversed(sequence))

    def decide(decision: Decision) -> Value:
        count = token_count(decision)
        if not left:
            raise SpaceError(f"the tokens end before {decision.path}: got {list(sequence)}")
        token = left.pop()
        if not 0 <= token < count:
            raise SpaceError(
                f"the token of {decision.path} must be in 0..{count - 1}, got {token}"
            )
        return decision.domain.values()[token]

    architecture = space.walk(decide)
    if left:
        raise SpaceError(f"{len(left)} of {len(sequence)} tokens are left over: {list(sequence)}")
    return architecture


def _width(decision: Decision) -> int:
    return decision.domain.count if isinstance(decision.domain, Choice) else 1


def _features(decision: Decision, value: Value) -> list[float]:
    domain = decision.domain
    if isinstance(domain, Choice):
        return [float(option == value) for option in domain.options]
    return [domain.unit(value)]
