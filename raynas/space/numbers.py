"""Numbers as decisions of a space: Int and Float."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Final

import numpy as np

from raynas.errors import SpaceError
from raynas.space.values import Value, to_plain

_STEP: Final = 0.1  # the distance of a neighbour, as a share of a number's range
_TRIES: Final = 8  # how often a mutated number is drawn to find a different one
_LIMIT: Final = 2**62  # of an Int's bounds: numpy draws 64-bit numbers


@dataclass(frozen=True, slots=True)
class Int:
    """A whole number from ``low`` to ``high``, both included; ``log`` draws on a log scale.

    With a ``step``, the numbers are ``low``, ``low + step``, … up to ``high``. If the steps do not
    lead to ``high``, the last number before it becomes ``high``.
    """

    low: int
    high: int
    log: bool = False
    step: int = 1

    def __post_init__(self) -> None:
        """Check the bounds and the step."""
        to_plain(self, "low", "high", "step")
        if not all(type(one) is int for one in (self.low, self.high, self.step)):
            raise SpaceError(
                f"the bounds and the step of an Int must be whole numbers, got {self}"
            )
        if max(abs(self.low), abs(self.high)) >= _LIMIT:
            raise SpaceError(f"the bounds of an Int must fit into 63 bits, got {self}")
        _check_bounds(self)
        if self.step < 1:
            raise SpaceError(f"step >= 1 must hold, got {self}")
        if self.log and self.step > 1:
            raise SpaceError(
                f"a log scale has no steps, got {self}: leave one of them out, or list the "
                "numbers in a Choice"
            )
        object.__setattr__(self, "high", self.values()[-1])

    @property
    def count(self) -> int:
        """How many values there are."""
        return (self.high - self.low) // self.step + 1

    def values(self) -> range:
        """Return the numbers, ascending."""
        return range(self.low, self.high + 1, self.step)

    def contains(self, value: Value) -> bool:
        """Return whether ``value`` is one of the numbers."""
        return type(value) is int and value in self.values()

    def nearest(self, number: float) -> int:
        """Return the number that is nearest to any other; outside it is a bound."""
        steps = round((number - self.low) / self.step)
        return self.low + self.step * min(max(steps, 0), self.count - 1)

    def sample(self, rng: np.random.Generator) -> int:
        """Draw a number, uniformly or log-uniformly (each number's share of the log axis)."""
        if not self.log:
            return self.low + self.step * int(rng.integers(self.count))
        edges = math.log(self.low - 0.5), math.log(self.high + 0.5)
        return int(np.clip(round(math.exp(rng.uniform(*edges))), self.low, self.high))

    def others(self, value: Value, rng: np.random.Generator) -> Iterator[int]:
        """Yield different numbers: a few draws, then all others, starting at a random one."""
        drawn = (self.sample(rng) for _ in range(_TRIES))
        start = int(rng.integers(self.count))
        every = (self.values()[(start + i) % self.count] for i in range(self.count))
        return (number for number in chain(drawn, every) if number != value)

    def steps(self, value: Value) -> Iterator[int]:
        """Yield the numbers next to ``value``, and those a tenth of the range away."""
        near = (int(_number(value)) - self.step, int(_number(value)) + self.step)
        inside = (number for number in near if self.low <= number <= self.high)
        far = (self.at(self.unit(value) + step) for step in (-_STEP, _STEP))
        return (number for number in dict.fromkeys((*inside, *far)) if number != value)

    def unit(self, value: Value) -> float:
        """Map a number to [0, 1]."""
        return _unit(self, _number(value))

    def at(self, unit: float) -> int:
        """Map [0, 1] to the nearest number; values outside become the nearer bound."""
        return self.nearest(_at(self, unit))


@dataclass(frozen=True, slots=True)
class Float:
    """A real number from ``low`` to ``high``; ``log`` draws on a log scale."""

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        """Check the bounds and make them floats."""
        to_plain(self, "low", "high")
        if not (isinstance(self.low, int | float) and isinstance(self.high, int | float)):
            raise SpaceError(f"the bounds of a Float must be numbers, got {self}")
        _check_bounds(self)
        object.__setattr__(self, "low", float(self.low))
        object.__setattr__(self, "high", float(self.high))

    @property
    def count(self) -> float:
        """The number of values: infinite, or one if the bounds are equal."""
        return math.inf if self.low < self.high else 1

    def values(self) -> tuple[float, ...]:
        """Return the only value.

        Raises:
            SpaceError: There are infinitely many values.
        """
        if self.low < self.high:
            raise SpaceError(f"{self} has no finite list of values; use a Choice of a few numbers")
        return (self.low,)

    def contains(self, value: Value) -> bool:
        """Return whether ``value`` is a float within the bounds."""
        return type(value) is float and self.low <= value <= self.high

    def sample(self, rng: np.random.Generator) -> float:
        """Draw a number, uniformly or log-uniformly."""
        return self.at(rng.random())

    def others(self, value: Value, rng: np.random.Generator) -> Iterator[float]:
        """Yield different numbers: normal steps of a fifth of the range, reflected inside."""
        centre = self.unit(value)
        moves = (self.at(_reflected(centre + 2 * _STEP * rng.normal())) for _ in range(_TRIES))
        far = self.low if centre > 0.5 else self.high
        return (number for number in chain(moves, (far,)) if number != value)

    def steps(self, value: Value) -> Iterator[float]:
        """Yield the numbers a tenth and a fiftieth of the range below and above."""
        centre = self.unit(value)
        near = (self.at(centre + sign * step) for step in (_STEP, _STEP / 5) for sign in (-1, 1))
        return (number for number in dict.fromkeys(near) if number != value)

    def unit(self, value: Value) -> float:
        """Map a number to [0, 1]."""
        return _unit(self, _number(value))

    def at(self, unit: float) -> float:
        """Map [0, 1] to a number; values outside become the nearer bound."""
        return float(min(max(_at(self, unit), self.low), self.high))


def _number(value: Value) -> float:
    if isinstance(value, str | tuple | None):
        raise SpaceError(f"a number is needed here, got {value!r}")
    return value


def _check_bounds(domain: Int | Float) -> None:
    if not math.isfinite(domain.high - domain.low):
        raise SpaceError(f"bounds and their distance must be finite, got {domain}")
    if domain.low > domain.high:
        raise SpaceError(f"low <= high must hold, got {domain}")
    if domain.log and domain.low <= 0:
        raise SpaceError(f"a log scale needs low > 0, got {domain}")


def _reflected(unit: float) -> float:
    """Fold the real line into [0, 1] at the ends."""
    return 1 - abs(1 - abs(unit) % 2)


def _unit(domain: Int | Float, value: float) -> float:
    if domain.low == domain.high:
        return 0.0
    if domain.log:
        low, high = math.log(domain.low), math.log(domain.high)
        return (math.log(value) - low) / (high - low)
    return (value - domain.low) / (domain.high - domain.low)


def _at(domain: Int | Float, unit: float) -> float:
    unit = min(max(unit, 0.0), 1.0)
    if domain.log:
        return math.exp(math.log(domain.low) * (1 - unit) + math.log(domain.high) * unit)
    return domain.low + unit * (domain.high - domain.low)
