"""Draw any architecture as text: its decisions as an indented tree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from raynas.insight.wording import in_lines
from raynas.space import Architecture, Value

_WIDTH: Final = 78  # characters of a line, without the indentation


def draw(architecture: Architecture) -> str:
    """Return the decisions in a few lines; decisions of the same level share a line.

    A decision with decisions below it has a line of its own above them::

        layers 2
          0  width 16
          1  width 64
        activation ReLU, dropout 0.1
    """
    return "\n".join(_lines(architecture))


def _lines(values: Mapping[str, Value]) -> Iterator[str]:
    leaves: list[str] = []
    for name, below in _grouped(values).items():
        here = f"{name} {_text(values[name])}" if name in values else name
        if not below:
            leaves.append(here)
            continue
        yield from in_lines(leaves, ", ", _WIDTH)
        leaves = []
        inner = list(_lines(below))
        if name not in values and len(inner) == 1:
            yield f"{here}  {inner[0]}"
        else:
            yield here
            yield from (f"  {line}" for line in inner)
    yield from in_lines(leaves, ", ", _WIDTH)


def _grouped(values: Mapping[str, Value]) -> dict[str, dict[str, Value]]:
    groups: dict[str, dict[str, Value]] = {}
    for path, value in values.items():
        name, _, rest = path.partition(".")
        group = groups.setdefault(name, {})
        if rest:
            group[rest] = value
    return groups


def _text(value: Value) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
