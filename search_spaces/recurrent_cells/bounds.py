"""Which values of a cell must be cut off, so that no cell overflows."""

from __future__ import annotations

import math
from typing import Final

from search_spaces.recurrent_cells.cell import INPUT, LAST, MEMORY, STATE, Layout

MOST: Final = 16.0
"""The greatest size of products and states."""


def unbounded(layout: Layout) -> frozenset[str]:
    """Return the products and next states that may otherwise be larger than ``MOST``."""
    found = set()
    sizes = {INPUT: math.inf, STATE: MOST, MEMORY: MOST}
    for step in layout.steps:
        size = _size(step.operation, [sizes[name] for name in step.reads])
        repeated = step.operation == "product" or step.name in (LAST, layout.memory)
        if repeated and size > MOST:
            found.add(step.name)
            size = MOST
        sizes[step.name] = size
    return frozenset(found)


def _size(operation: str, read: list[float]) -> float:
    """Return the greatest size of a result; ``read`` has the greatest sizes of what it reads."""
    match operation:
        case "linear":
            return math.inf
        case "blend":
            gate, first, second = read
            return second + gate * (first + second)
        case "sum":
            return sum(read)
        case "product":
            return math.prod(read)
        case "leaky_relu":
            return read[0]
        case _:
            return 1.0
