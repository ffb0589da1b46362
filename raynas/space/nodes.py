"""The nodes from which a space is built: Choice, Int, Float, Repeat and dict."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

import numpy as np

from raynas.errors import SpaceError

Value = str | int | float | bool | tuple["Value", ...] | None
"""The value of a decision: a JSON scalar, or a tuple of such values."""

Options = Sequence[Value] | Mapping[str, "Node | None"]

_STEP: Final = 0.1  # the distance of a neighbour, as a share of a number's range
_TRIES: Final = 8  # how often a mutated number is drawn to find a different one
_LIMIT: Final = 2**62  # of an Int's bounds: numpy draws 64-bit numbers


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several options.

    Attributes:
        options: Plain values: text, numbers, true, false, None, or tuples of these; numpy scalars
            become Python's, lists become tuples. Or a mapping from an option's name to the
            sub-space that becomes active with this option (``None`` or ``{}`` for no sub-space).
        weights: A prior weight per option, all above zero, of any sum; none for equal weights.

    Raises:
        SpaceError: There is no option, one is repeated or not a plain value, or weights are
            unusable.
    """

    options: Options
    weights: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        """Check the options and freeze them."""
        options = self.options
        if isinstance(options, str | Set) or not isinstance(options, Iterable):
            raise SpaceError(
                "the options of a Choice must be a list or a dict, whose order is the same in "
                f"every process, got {options!r}"
            )
        values = [_checked_option(value) for value in options]
        if not values:
            raise SpaceError("a Choice needs at least one option, got none")
        if len(set(values)) < len(values):
            raise SpaceError(f"the options of a Choice must differ (1 equals True), got {values}")
        frozen = dict(options) if isinstance(options, Mapping) else tuple(values)
        object.__setattr__(self, "options", frozen)
        if self.weights is not None:
            object.__setattr__(self, "weights", _checked_weights(self.weights, len(values)))

    @property
    def count(self) -> int:
        """How many options there are."""
        return len(self.options)

    @property
    def children(self) -> Mapping[str, Node | None]:
        """The sub-space of each option that has one."""
        return self.options if isinstance(self.options, Mapping) else {}

    def values(self) -> tuple[Value, ...]:
        """Return the options in the given order."""
        return tuple(self.options)

    def contains(self, value: Value) -> bool:
        """Return whether ``value`` is one of the options."""
        return any(same(value, option) for option in self.options)

    def sample(self, rng: np.random.Generator) -> Value:
        """Draw an option from the prior."""
        values = self.values()
        if self.weights is None:
            return values[int(rng.integers(len(values)))]
        shares = np.array(self.weights) / math.fsum(self.weights)
        return values[int(rng.choice(len(values), p=shares))]

    def others(self, value: Value, rng: np.random.Generator) -> Iterator[Value]:
        """Yield every other option once, in an order drawn from the prior."""
        rest = [option for option in self.options if option != value]
        if self.weights is None:
            order = rng.permutation(len(rest))
        else:
            weight = dict(zip(self.options, self.weights, strict=True))
            keys = rng.random(len(rest)) ** (1 / np.array([weight[option] for option in rest]))
            order = np.argsort(-keys)
        return (rest[int(i)] for i in order)

    def steps(self, value: Value) -> Iterator[Value]:
        """Yield the neighbours of an option: all others."""
        return (option for option in self.options if option != value)


@dataclass(frozen=True, slots=True)
class Int:
    """A whole number from ``low`` to ``high``, both included; ``log`` draws on a log scale."""

    low: int
    high: int
    log: bool = False

    def __post_init__(self) -> None:
        """Check the bounds."""
        _to_plain(self, "low", "high")
        if not (type(self.low) is int and type(self.high) is int):
            raise SpaceError(f"the bounds of an Int must be whole numbers, got {self}")
        if max(abs(self.low), abs(self.high)) >= _LIMIT:
            raise SpaceError(f"the bounds of an Int must fit into 63 bits, got {self}")
        _check_bounds(self)

    @property
    def count(self) -> int:
        """How many values there are."""
        return self.high - self.low + 1

    def values(self) -> Sequence[int]:
        """Return the numbers, ascending."""
        return range(self.low, self.high + 1)

    def contains(self, value: Value) -> bool:
        """Return whether ``value`` is a whole number within the bounds."""
        return type(value) is int and self.low <= value <= self.high

    def sample(self, rng: np.random.Generator) -> int:
        """Draw a number, uniformly or log-uniformly (each number's share of the log axis)."""
        if not self.log:
            return int(rng.integers(self.low, self.high + 1))
        edges = math.log(self.low - 0.5), math.log(self.high + 0.5)
        return int(np.clip(round(math.exp(rng.uniform(*edges))), self.low, self.high))

    def others(self, value: Value, rng: np.random.Generator) -> Iterator[int]:
        """Yield different numbers: a few draws, then all others, starting at a random one."""
        drawn = (self.sample(rng) for _ in range(_TRIES))
        start = int(rng.integers(self.count))
        every = (self.low + (start + i) % self.count for i in range(self.count))
        return (number for number in chain(drawn, every) if number != value)

    def steps(self, value: Value) -> Iterator[int]:
        """Yield the numbers next to ``value``, and those a tenth of the range away."""
        near = (int(_number(value)) - 1, int(_number(value)) + 1)
        inside = (number for number in near if self.low <= number <= self.high)
        far = (self.at(self.unit(value) + step) for step in (-_STEP, _STEP))
        return (number for number in dict.fromkeys((*inside, *far)) if number != value)

    def unit(self, value: Value) -> float:
        """Map a number to [0, 1]."""
        return _unit(self, _number(value))

    def at(self, unit: float) -> int:
        """Map [0, 1] to the nearest number; values outside become the nearer bound."""
        return min(max(round(_at(self, unit)), self.low), self.high)


@dataclass(frozen=True, slots=True)
class Float:
    """A real number from ``low`` to ``high``; ``log`` draws on a log scale."""

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        """Check the bounds and make them floats."""
        _to_plain(self, "low", "high")
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


@dataclass(frozen=True, slots=True)
class Repeat:
    """``low`` to ``high`` copies of ``body``; each copy has its own decisions.

    The number of copies is a decision with the repeat's own name; the decisions of the copies
    have names below ``name.0``, ``name.1`` and so on.
    """

    body: Node
    low: int
    high: int

    def __post_init__(self) -> None:
        """Check the number of copies."""
        _to_plain(self, "low", "high")
        if not (type(self.low) is int and type(self.high) is int):
            raise SpaceError(
                f"the copies of a Repeat must be whole numbers, got {self.low!r} and {self.high!r}"
            )
        if not 0 <= self.low <= self.high:
            raise SpaceError(f"a Repeat needs 0 <= low <= high, got {self.low} and {self.high}")


Domain = Choice | Int | Float
Node = Choice | Int | Float | Repeat | Mapping[str, "Node"]


def plain(value: Any) -> Any:
    """Return a value with Python's numbers for numpy's, and tuples for lists."""
    if isinstance(value, np.generic):
        return value.item()
    return tuple(map(plain, value)) if isinstance(value, list | tuple) else value


def same(one: Value, other: Value) -> bool:
    """Return whether two values are equal and of the same type: 1 is neither 1.0 nor true."""
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


def _checked_option(given: Any) -> Value:
    value: Value = plain(given)
    for part in value if isinstance(value, tuple) else (value,):
        if isinstance(part, tuple):
            _checked_option(part)
        elif not isinstance(part, str | int | float | bool | None):
            raise SpaceError(
                "an option must be text, a number, true, false, None or a tuple of these, got "
                f"{given!r}; give a sub-space a name: Choice({{'name': sub-space, ...}})"
            )
        elif isinstance(part, float) and not math.isfinite(part):
            raise SpaceError(f"an option must be finite, got {given}")
    return value


def _number(value: Value) -> float:
    if isinstance(value, str | tuple | None):
        raise SpaceError(f"a number is needed here, got {value!r}")
    return value


def _to_plain(node: Any, *names: str) -> None:
    for name in names:
        object.__setattr__(node, name, plain(getattr(node, name)))


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


def _checked_weights(weights: Sequence[float], count: int) -> tuple[float, ...]:
    if len(weights) != count:
        raise SpaceError(f"one weight per option is needed: {count} options, {len(weights)} given")
    if not all(math.isfinite(weight) and weight > 0 for weight in weights):
        raise SpaceError(f"weights must be finite and above zero, got {list(weights)}")
    return tuple(map(float, weights))
