"""The nodes of a supernet as decisions; pure Python.

A node decides what it does and, whatever that is, what it would read: in a supernet all operations
of a node read the same mixtures. A linear operation of one value and one of two are two options.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from raynas.oneshot.relaxation import Relaxation, Strengths
from raynas.space import Architecture, Choice, Node, Space, Value
from search_spaces.recurrent_cells.cell import (
    INPUT,
    MEMORY,
    NODES,
    NONE,
    READS,
    SPACE,
    STATE,
    step,
)

LINEAR: Final = "linear"
ROLES: Final = ("first", "second", "gate")
"""What the values that a node reads are to it; an operation of one value reads the first."""

OPERATIONS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "linear_1": ("first",),
        "linear_2": ("first", "second"),
        **{
            name: tuple("first" if one == "of" else one for one in reads)
            for name, reads in READS.items()
            if name != LINEAR
        },
    }
)
"""The options of a node, and what each reads, in the order of ``READS``."""


def readable(number: int) -> tuple[str, ...]:
    """Return the values that a node can read, in the order in which they are computed."""
    return (INPUT, STATE, MEMORY, *(f"node_{i}" for i in range(number)))


def _tree(number: int) -> Node:
    reads: dict[str, Node] = {name: Choice(readable(number)) for name in ROLES}
    return {"operation": Choice(tuple(OPERATIONS)), **reads}


RELAXED: Final = Space(
    {
        **{f"node_{i}": _tree(i) for i in range(NODES)},
        "memory": Choice([f"node_{i}" for i in range(NODES)]),
    }
)
"""All decisions that are mixed."""


def path(architecture: Architecture) -> Architecture:
    """Return the options that an architecture uses; what a node does not read is ``x``."""
    values: dict[str, Value] = {"memory": architecture["memory"]}
    for i in range(NODES):
        one = step(architecture, i)
        linear = one.operation == LINEAR
        operation = f"{LINEAR}_{len(one.reads)}" if linear else one.operation
        reads = dict(zip(OPERATIONS[operation], one.reads, strict=True))
        values[f"{one.name}.operation"] = operation
        values |= {f"{one.name}.{name}": reads.get(name, INPUT) for name in ROLES}
    return RELAXED.architecture(values)


def derive(strengths: Strengths) -> Architecture:
    """Return the cell of the strongest operations, and of the strongest values that they read."""
    chosen = {
        name: _strongest([*decision.domain.values()], strengths[name])
        for name, decision in RELAXED.decisions.items()
    }
    values: dict[str, Value] = {"memory": chosen["memory"]}
    for i in range(NODES):
        name = f"node_{i}"
        option = str(chosen[f"{name}.operation"])
        operation = LINEAR if option.startswith(LINEAR) else option
        read = [chosen[f"{name}.{role}"] for role in OPERATIONS[option]]
        read += [NONE] * (len(READS[operation]) - len(read))
        places = zip(READS[operation], read, strict=True)
        values[name] = operation
        values |= {f"{name}.{operation}.{place}": one for place, one in places}
    return SPACE.architecture(values)


def _strongest(options: Sequence[Value], strengths: Sequence[float]) -> Value:
    return options[max(range(len(options)), key=strengths.__getitem__)]


RELAXATION: Final = Relaxation(RELAXED, path, derive)
