"""The nodes from which a space is built: Choice, Int, Float, Repeat and dict."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from raynas.errors import SpaceError
from raynas.space.numbers import Float, Int
from raynas.space.values import Value, checked_options, same, to_plain

Options = Sequence[Value] | Mapping[str, "Node | None"]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several options.

    Attributes:
        options: Plain values: text, numbers, true, false, None, or tuples of these; numpy scalars
            become Python's, lists become tuples. Or a mapping from an option's name to the
            sub-space that becomes active with this option (``None`` or ``{}`` for no sub-space).
            An iterator is read once.
        weights: A prior weight per option, all above zero, of any sum; none for equal weights.

    Raises:
        SpaceError: There is no option, one is repeated or not a plain value, or weights are
            unusable.
    """

    options: Options
    weights: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        """Check the options and freeze them."""
        options = checked_options(self.options)
        object.__setattr__(self, "options", options)
        if self.weights is not None:
            object.__setattr__(self, "weights", _checked_weights(self.weights, len(options)))

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
        to_plain(self, "low", "high")
        if not (type(self.low) is int and type(self.high) is int):
            raise SpaceError(
                f"the copies of a Repeat must be whole numbers, got {self.low!r} and {self.high!r}"
            )
        if not 0 <= self.low <= self.high:
            raise SpaceError(f"a Repeat needs 0 <= low <= high, got {self.low} and {self.high}")


Domain = Choice | Int | Float
Node = Choice | Int | Float | Repeat | Mapping[str, "Node"]


def _checked_weights(weights: Sequence[float], count: int) -> tuple[float, ...]:
    if len(weights) != count:
        raise SpaceError(f"one weight per option is needed: {count} options, {len(weights)} given")
    if not all(math.isfinite(weight) and weight > 0 for weight in weights):
        raise SpaceError(f"weights must be finite and above zero, got {list(weights)}")
    return tuple(map(float, weights))
