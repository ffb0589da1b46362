"""The text of a class, for one layer or for several that differ in numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from torch import nn

from raynas.training.source.expressions import (
    Argument,
    Call,
    Expression,
    Literal,
    Writer,
    literals,
    plain_text,
    skeleton,
)

_PAIRS: Final = {
    ("in_channels", "out_channels"): "channels",
    ("in_features", "out_features"): "features",
    ("input_size", "hidden_size"): "features",
}
_LEAST: Final = ("num_features", "normalized_shape", "groups")  # names that say little
_INDENT: Final = 8


@dataclass(frozen=True, slots=True)
class Line:
    """A statement of ``__init__``.

    Attributes:
        name: What of ``self`` is set; empty for a call.
        value: To what.
    """

    name: str
    value: Expression


@dataclass(frozen=True, slots=True)
class Class:
    """What a layer needs as a class.

    Attributes:
        layer: The layer.
        name: The name of its class.
        said: The first line of its description.
        lines: The statements of ``__init__``.
        ties: Statements after these, which share weights.
        methods: The text of its methods.
    """

    layer: nn.Module
    name: str
    said: str
    lines: Sequence[Line]
    ties: Sequence[str]
    methods: Sequence[str]

    @property
    def key(self) -> Any:
        """What layers of one class have in common."""
        made = tuple((line.name, skeleton(line.value)) for line in self.lines)
        return self.name, self.said, made, tuple(self.ties), tuple(self.methods)

    @property
    def numbers(self) -> list[tuple[str, Any, tuple[Any, ...]]]:
        """The free literals: names, values, defaults."""
        return [found for line in self.lines for found in literals(line.value, line.name)]


@dataclass(slots=True)
class Namer:
    """Gives each class a name of its own."""

    taken: set[str] = field(default_factory=lambda: {"Model"})

    def of(self, name: str) -> str:
        """Return a name like ``name``."""
        base = name.lstrip("_") or "Layer"
        found, number = base, 1
        while found in self.taken:
            number += 1
            found = f"{base}{number}"
        self.taken.add(found)
        return found


def class_text(name: str, group: Sequence[Class]) -> tuple[str, list[Call]]:
    """Return the text of a class, and the call that makes each of its layers."""
    first = group[0]
    columns = [*zip(*([value for _, value, _ in one.numbers] for one in group), strict=True)]
    places = [*first.numbers]
    names = _names(columns, [found for found, _, _ in places])
    texts = [_text(names[at], columns[at], default) for at, (_, _, default) in enumerate(places)]
    parameters = [*dict.fromkeys(found for found in names if found.isidentifier())]
    lines = [f"class {name}(nn.Module):"]
    lines += [f'    """{first.said}"""', ""] if first.said else []
    if first.lines or first.ties:
        lines += _init(first, parameters, Writer(texts))
    for method in first.methods:
        lines += ["", *(f"    {line}" if line else "" for line in method.splitlines())]
    calls = [_call(name, parameters, names, columns, at) for at in range(len(group))]
    return "\n".join(_without_double(lines)), calls


def _init(first: Class, parameters: Sequence[str], writer: Writer) -> list[str]:
    given = ", ".join(("self", *parameters))
    lines = [f"    def __init__({given}):", "        super().__init__()"]
    for line in first.lines:
        start = f"self.{line.name} = " if line.name else ""
        text = writer.write(line.value, _INDENT + len(start))
        lines += [f"{' ' * _INDENT}{one}" for one in f"{start}{text}".splitlines()]
    return [*lines, *(f"{' ' * _INDENT}{tie}" for tie in first.ties)]


def _without_double(lines: list[str]) -> list[str]:
    """Return lines without an empty one after another."""
    return [line for at, line in enumerate(lines) if line or (at and lines[at - 1])]


def _names(columns: Sequence[Sequence[Any]], called: Sequence[str]) -> list[str]:
    """Return the name of the parameter at each place; empty where all layers have one value."""
    places: dict[tuple[Any, ...], list[int]] = {}
    for at, column in enumerate(columns):
        if any(value != column[0] for value in column):
            places.setdefault(tuple(column), []).append(at)
    names, taken = [""] * len(columns), {"self"}
    for column, alike in places.items():
        found = _derived(column, called[alike[0]], columns, names)
        found = found or _named([called[at] for at in alike], taken)
        taken.add(found)
        for at in alike:
            names[at] = found
    return names


def _derived(
    column: Sequence[Any], called: str, columns: Sequence[Sequence[Any]], names: Sequence[str]
) -> str:
    """Return the padding that keeps the size as a text of the kernel; empty for others."""
    for other, name in zip(columns, names, strict=True):
        halves = [one // 2 if isinstance(one, int) else None for one in other]
        if called == "padding" and name.startswith("kernel_size") and halves == [*column]:
            return f"{name} // 2"
    return ""


def _named(candidates: Sequence[str], taken: set[str]) -> str:
    known = [one for one in dict.fromkeys(candidates) if one.isidentifier()]
    said = [one for one in known if one not in _LEAST] or known or ["size"]
    both = next((name for pair, name in _PAIRS.items() if {*pair} <= {*said}), said[0])
    base = re.sub(r"_\d+$", "", both)
    found, number = base, 1
    while found in taken:
        number += 1
        found = f"{base}_{number}"
    return found


def _text(name: str, column: Sequence[Any], default: tuple[Any, ...]) -> str | None:
    if name:
        return name
    return None if default and column[0] == default[0] else plain_text(column[0])


def _call(
    name: str,
    parameters: Sequence[str],
    names: Sequence[str],
    columns: Sequence[Sequence[Any]],
    at: int,
) -> Call:
    values = {found: columns[place][at] for place, found in enumerate(names)}
    arguments = (Argument(one, Literal(values[one]), keyword=True) for one in parameters)
    return Call(name, tuple(arguments), own=True)
