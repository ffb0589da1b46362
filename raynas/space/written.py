"""Values as people and other programs write them: 0.3 for 0.30000000000000004, 1 for 1.0."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final, TypeGuard

from raynas.space.nodes import Choice, Domain
from raynas.space.numbers import Float, Int
from raynas.space.values import Value, plain, same

_NEAR: Final = 1e-6  # the relative distance of equal numbers: that of float32
_HUGE: Final = 1e300
_ZERO: Final = 1e-12  # the same, for numbers near 0, relative to the largest number


def meant(domain: Domain, given: Any) -> Any:
    """Return the value of a domain that a written one stands for; if there is none, as written.

    Numbers that differ by rounding are equal, also a whole number and a real one. Truth values
    and text are no numbers.
    """
    value = plain(given)
    if domain.contains(value):
        return value
    match domain:
        case Choice():
            scale = max((abs(one) for one in _numbers(domain.values())), default=0.0)
            fitting = [one for one in domain.values() if _equal(one, value, scale)]
            return fitting[0] if len(fitting) == 1 else value
        case Float() if _is_number(value):
            bounds = (one for one in (domain.low, domain.high) if _near(one, value, abs(one)))
            return next(bounds, float(value))
        case Int() if isinstance(value, float) and value.is_integer():
            return int(value)
    return value


def _numbers(value: Value) -> Iterator[float]:
    if isinstance(value, tuple):
        for part in value:
            yield from _numbers(part)
    elif _is_number(value):
        yield value


def _is_number(value: Any) -> TypeGuard[float]:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and abs(value) < _HUGE


def _equal(one: Value, other: Value, scale: float) -> bool:
    if isinstance(one, tuple) and isinstance(other, tuple):
        pairs = zip(one, other, strict=False)
        return len(one) == len(other) and all(_equal(a, b, scale) for a, b in pairs)
    if _is_number(one) and _is_number(other):
        return _near(one, other, scale)
    return same(one, other)


def _near(one: Any, other: Any, scale: float) -> bool:
    return math.isclose(one, other, rel_tol=_NEAR, abs_tol=_ZERO * scale)
