"""The tokens of a decision, from which a controller chooses: values, or intervals of numbers."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from raynas.space import Choice, Float, Int, Value
from raynas.space.nodes import Domain

_STRETCHES: Final = 16  # intervals of a number: few enough to compare them after a dozen trials


class Values:
    """Tokens that are values, one token for each value.

    Attributes:
        log_weights: ``[tokens]``: the logarithm of each value's weight in the prior.
    """

    def __init__(self, values: Iterable[Value], log_weights: NDArray[np.float64]) -> None:
        """Number the values."""
        self._values = tuple(values)
        self._index = {value: token for token, value in enumerate(self._values)}
        self.log_weights = log_weights

    def index(self, value: Value) -> int:
        """Return the token of a value."""
        return self._index[value]

    def draw(self, token: int, _: np.random.Generator) -> Value:
        """Return the value of a token."""
        return self._values[token]


class Stretches:
    """Tokens that are intervals of a number; within an interval the prior draws the number.

    Attributes:
        log_weights: ``[tokens]``: the logarithm of each interval's probability in the prior, up
            to a constant.
    """

    def __init__(self, parts: Sequence[Int | Float]) -> None:
        """Number the intervals, which are in ascending order and do not overlap."""
        self._parts = parts
        self._lows: list[float] = [part.low for part in parts]
        self.log_weights = _log_widths(parts)

    def index(self, value: Value) -> int:
        """Return the token of the interval that contains a number."""
        return bisect_right(self._lows, value) - 1  # type: ignore[type-var]  # it is a number

    def draw(self, token: int, rng: np.random.Generator) -> Value:
        """Draw a number from the interval of a token."""
        return self._parts[token].sample(rng)


Tokens = Values | Stretches


def tokens(domain: Domain) -> Tokens:
    """Return the tokens of a domain; numbers with many values are divided into intervals.

    The log-probability of a number is that of its interval. Within an interval the controller
    learns nothing: the density there is that of the prior. It is a constant factor, which cancels
    in gradients and in ratios of probabilities.
    """
    match domain:
        case Choice():
            return Values(domain.values(), np.log(domain.weights or [1.0] * domain.count))
        case Int() if domain.count > _STRETCHES:
            return Stretches(_cut_whole(domain))
        case Int():
            every = domain.values()
            return Values(every, _log_widths([Int(n, n, log=domain.log) for n in every]))
    if domain.low == domain.high:
        return Values(domain.values(), np.zeros(1))
    return Stretches(_cut_real(domain))


def _cut_whole(domain: Int) -> list[Int]:
    """Divide evenly on the domain's axis; on a log axis, small numbers have short intervals."""
    low, step, half = domain.low, domain.step, domain.step / 2
    axis = Float(low - half, domain.high + half, log=domain.log)  # it is drawn from there
    cuts = (axis.at(i / _STRETCHES) for i in range(1, _STRETCHES))
    edges = (low + step * math.ceil((cut - low) / step) for cut in cuts)
    lows = sorted({low, *(edge for edge in edges if low < edge <= domain.high)})
    ends = [*lows, domain.high + step]
    return [replace(domain, low=first, high=after - step) for first, after in pairwise(ends)]


def _cut_real(domain: Float) -> list[Float]:
    # If the bounds are almost equal, there are fewer floats between them than intervals.
    edges = {domain.at(i / _STRETCHES) for i in range(1, _STRETCHES)} - {domain.high}
    lows = sorted({domain.low, *edges})
    highs = [*(math.nextafter(low, -math.inf) for low in lows[1:]), domain.high]
    return [Float(low, high, log=domain.log) for low, high in zip(lows, highs, strict=True)]


def _log_widths(parts: Sequence[Int | Float]) -> NDArray[np.float64]:
    if not isinstance(parts[0], Int):
        return np.zeros(len(parts))  # the intervals have equal probabilities
    # A half below the lowest and a half above the highest, of numbers to which that is nothing.
    return np.log(
        [math.log1p(one.count / (one.low - 0.5)) if one.log else one.count for one in parts]
    )
