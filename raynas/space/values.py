"""The values that decisions may have: what JSON, and with it the journal, can hold."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, MappingView, Set
from enum import Enum
from typing import Any, Final

import numpy as np

from raynas.errors import SpaceError

Value = str | int | float | bool | tuple["Value", ...] | None
"""The value of a decision: a JSON scalar, or a tuple of such values."""

_EXACT: Final = frozenset({str, int, float, bool, type(None)})
_SCALARS: Final = str | int | float | bool | None


def plain(value: Any) -> Any:
    """Return a value with Python's own text and numbers, and tuples for lists.

    A member of an Enum stays what it is: code compares it with ``is``, which is never true of the
    text or number that it stands for.
    """
    if type(value) in _EXACT:
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, list | tuple):
        return tuple(map(plain, value))
    if isinstance(value, str | int | float) and not isinstance(value, Enum):
        return json.loads(json.dumps(value))  # of a class of its own, the journal gives back this
    return value


def same(one: Value, other: Value) -> bool:
    """Return whether two values are equal and of the same type: 1 is neither 1.0 nor true."""
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


def to_plain(node: Any, *names: str) -> None:
    """Make fields of a node plain."""
    for name in names:
        object.__setattr__(node, name, plain(getattr(node, name)))


def checked_options(options: Any) -> tuple[Value, ...] | dict[str, Any]:
    """Return the options of a choice, plain and frozen.

    Raises:
        SpaceError: They have no order, there is none, one is repeated or is no plain value.
    """
    unordered = isinstance(options, Set) and not isinstance(options, MappingView)
    if unordered or isinstance(options, str | bytes) or not isinstance(options, Iterable):
        raise SpaceError(
            "the options of a Choice must be a list, a tuple or a dict, whose order is the same "
            f"in every process; write them out as a list: got {options!r}"
        )
    values = tuple(map(_checked_option, options))
    if not values:
        spent = " (it was read before: give a list)" if isinstance(options, Iterator) else ""
        raise SpaceError(f"a Choice needs at least one option, got none{spent}")
    if len(set(values)) < len(values):
        raise SpaceError(f"the options of a Choice must differ (1 equals True), got {[*values]}")
    if not isinstance(options, Mapping):
        return values
    if strange := [name for name in values if not isinstance(name, str)]:
        raise SpaceError(f"a sub-space must have a text as its name, got {strange[0]!r}")
    return dict(zip(map(str, values), options.values(), strict=True))


def _checked_option(given: Any) -> Value:
    value: Value = plain(given)
    for part in value if isinstance(value, tuple) else (value,):
        if isinstance(part, tuple):
            _checked_option(part)
        elif isinstance(part, Enum):
            kind = type(part).__name__
            raise SpaceError(
                f"an option must not be a member of an Enum, got {part!r}: the journal and the "
                "workers get text and numbers only. Give the values, as in "
                f"Choice([one.value for one in {kind}]), and in build make a member of the value: "
                f"{kind}(architecture[...])"
            )
        elif not isinstance(part, _SCALARS):
            raise SpaceError(
                "an option must be text, a number, true, false, None or a tuple of these, got "
                f"{given!r}: give each option a name, and look up in build what it stands for; "
                "give a sub-space a name: Choice({'name': sub-space, ...})"
            )
        elif isinstance(part, float) and not math.isfinite(part):
            raise SpaceError(f"an option must be finite, got {given}")
    return value
