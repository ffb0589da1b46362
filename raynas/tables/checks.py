"""Seeing that a table, which may be a user's own, answers as a table does."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from itertools import pairwise
from numbers import Integral, Real
from typing import Any

from raynas.errors import ConfigError
from raynas.space import Architecture, Space
from raynas.tables.table import Recorded, Scores, Table


def check_table(table: Table) -> None:
    """See that a table's fields are what they must be.

    Raises:
        ConfigError: One is not.
    """
    _must(table, "space", table.space, "a raynas.Space", lambda it: isinstance(it, Space))
    ascending = "a list or tuple of whole numbers of epochs, each 1 or more, ascending"
    _must(table, "lengths", table.lengths, ascending, _ascend)
    _must(table, "best", table.best, "a finite number", _is_finite)
    objective = getattr(table, "objective", "val_accuracy")
    text = "a metric's name, with a direction where needed, as in 'val_error:min'"
    _must(table, "objective", objective, text, lambda it: isinstance(it, str) and bool(it))
    for method, count in (("answer", 3), ("scores", 1)):
        try:
            signature(getattr(table, method)).bind(*range(count))
        except TypeError as error:
            takes = "(architecture, epochs, draw)" if count == 3 else "(architecture)"
            raise ConfigError(f"{_called(table)}: {method} must take {takes}: {error}") from error


def answer(table: Table, architecture: Architecture, epochs: int, draw: int) -> Sequence[Recorded]:
    """Return what a table says of a training.

    Raises:
        ConfigError: It says nothing usable.
        TrialError: The training failed.
    """
    looks = table.answer(architecture, epochs, draw)
    what = "a list of raynas.tables.Recorded"
    _must(table, "answer", looks, what, lambda it: isinstance(it, Sequence) and all(map(_is, it)))
    for look in looks:
        fault = _fault(look)
        if fault:
            raise ConfigError(f"{_called(table)}: {fault}, got {look!r}")
    if [*looks] != sorted(looks, key=lambda look: look.epoch):
        order = ", ".join(str(look.epoch) for look in looks)
        raise ConfigError(f"{_called(table)}: answer must be in the order of epochs, got {order}")
    return looks


def scores(table: Table, architecture: Architecture) -> Scores:
    """Return how good an architecture is in truth.

    Raises:
        ConfigError: The table says nothing usable.
    """
    said = table.scores(architecture)
    what = "raynas.tables.Scores of two numbers"
    _must(table, "scores", said, what, _are_scores)
    return said


def _must(table: Table, name: str, value: Any, what: str, holds: Callable[[Any], bool]) -> None:
    if not holds(value):
        raise ConfigError(f"{_called(table)}: {name} must be {what}, got {value!r}")


def _called(table: Table) -> str:
    return f"table {type(table).__name__!r}"


def _ascend(lengths: Any) -> bool:
    if not isinstance(lengths, Sequence) or not lengths:
        return False
    whole = all(isinstance(length, Integral) and int(length) >= 1 for length in lengths)
    return whole and all(one < other for one, other in pairwise(lengths))


def _is(look: Any) -> bool:
    return isinstance(look, Recorded)


def _is_finite(value: Any) -> bool:
    return isinstance(value, Real) and math.isfinite(value)


def _are_scores(said: Any) -> bool:
    return isinstance(said, Scores) and all(isinstance(v, Real) for v in (said.valid, said.test))


def _fault(look: Recorded) -> str:
    """Return what is wrong with one look; nothing if nothing is."""
    if not isinstance(look.epoch, Integral):
        return "epoch must be a whole number"
    if not (_is_finite(look.seconds) and look.seconds >= 0):
        return "seconds must be a number, at least 0"
    for name in ("metrics", "errors"):
        values = getattr(look, name)
        if not isinstance(values, Mapping) or not all(
            isinstance(v, Real) for v in values.values()
        ):
            return f"{name} must be numbers by name"
    return ""
