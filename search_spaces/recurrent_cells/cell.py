"""The cell as decisions; pure Python."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from raynas.space import Architecture, Choice, Node, Space
from raynas.space.graph import Graph, Layer, between_ends

NODES: Final = 13  # as many as an LSTM needs
INPUT: Final = "x"
STATE: Final = "h"
MEMORY: Final = "c"
NONE: Final = "none"
LAST: Final = f"node_{NODES - 1}"
READS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "linear": ("first", "second"),
        "blend": ("gate", "first", "second"),
        "sum": ("first", "second"),
        "product": ("first", "second"),
        "tanh": ("of",),
        "sigmoid": ("of",),
        "leaky_relu": ("of",),
    }
)
"""The operations, and the names of what each reads."""

_ALIKE: Final = {"linear", "sum", "product"}  # the order of what they read does not matter
# Half of all nodes are linear: only these have weights.
_WEIGHTS: Final = tuple(6.0 if name == "linear" else 1.0 for name in READS)


@dataclass(frozen=True, slots=True)
class Step:
    """One node.

    Attributes:
        name: Its name.
        operation: What it does.
        reads: The values that it reads: ``x``, ``h``, ``c`` or earlier nodes.
    """

    name: str
    operation: str
    reads: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """What has to be computed.

    Attributes:
        steps: The nodes that have influence, in their order.
        memory: The node that is the next ``c``; none if nothing reads ``c``.
    """

    steps: tuple[Step, ...]
    memory: str | None


def layout(architecture: Architecture) -> Layout:
    """Return the nodes that have influence on the outputs of this and of later places."""
    steps = [step(architecture, i) for i in range(NODES)]
    return live(steps, str(architecture["memory"]))


def live(steps: Sequence[Step], memory: str) -> Layout:
    """Return those of the nodes of a cell that have influence; ``memory`` is the next ``c``."""
    used = {LAST}
    while True:
        before = len(used)
        if MEMORY in used:
            used.add(memory)
        for step in reversed(steps):
            if step.name in used:
                used.update(step.reads)
        if len(used) == before:
            break
    kept = tuple(step for step in steps if step.name in used)
    return Layout(kept, memory if MEMORY in used else None)


def canonical(architecture: Architecture) -> str:
    """Return a text that is the same for cells that differ only in what has no influence.

    Nodes are numbered anew, and the order of terms and factors does not matter. The same cell with
    its nodes in another order counts as another one.
    """
    found = layout(architecture)
    number = {step.name: str(i) for i, step in enumerate(found.steps)}
    texts = []
    for step in found.steps:
        reads = [number.get(name, name) for name in step.reads]
        texts.append(f"{step.operation}({','.join(_ordered(step, reads))})")
    return f"{' '.join(texts)} c={number.get(found.memory or NONE, NONE)}"


def graph(architecture: Architecture) -> Graph:
    """Return the nodes that have influence as layers.

    A layer is connected only to the first value that it reads, because there may be thousands of
    paths by all; what else it reads is its variant. A node's mass is that of NASBOT, for 16 units.
    """
    found = layout(architecture)
    places = {step.name: i for i, step in enumerate(found.steps, start=1)}
    layers, edges, shown = [], [], []
    for step in found.steps:
        first, *others = step.reads
        if first in places:
            edges.append((places[first], places[step.name]))
        shown += [(places[one], places[step.name]) for one in step.reads if one in places]
        mass = 256.0 * len(step.reads) if step.operation == "linear" else 16.0
        own = [] if first in places else [first]
        kept = ["memory"] if step.name == found.memory else []
        variant = " ".join([*own, *others, *kept])
        outer = [one for one in step.reads if one not in places]
        note = f"{step.name}{' of ' if outer else ''}{', '.join(outer)}"
        if kept:
            note += ", next c"
        layers.append(Layer(step.operation, mass, variant, note))
    return between_ends(layers, edges, shown)


def draw(architecture: Architecture) -> str:
    """Return one line per node that has influence, and one for the next states."""
    found = layout(architecture)
    lines = [f"{step.name:7} = {step.operation}({', '.join(step.reads)})" for step in found.steps]
    memory = f", next c = {found.memory}" if found.memory else ""
    return "\n".join([*lines, f"next h = {LAST}{memory}"])


def step(architecture: Architecture, number: int) -> Step:
    """Return a node of an architecture."""
    name = f"node_{number}"
    operation = str(architecture[name])
    decided = (str(architecture[f"{name}.{operation}.{one}"]) for one in READS[operation])
    return Step(name, operation, tuple(one for one in decided if one != NONE))


def _ordered(step: Step, reads: list[str]) -> list[str]:
    return sorted(reads) if step.operation in _ALIKE else reads


def _tree(number: int) -> Node:
    values = (INPUT, STATE, MEMORY, *(f"node_{i}" for i in range(number)))
    reads: dict[str, Node] = {}
    for operation, names in READS.items():
        reads[operation] = {
            name: Choice((NONE, *values) if (operation, name) == ("linear", "second") else values)
            for name in names
        }
    return Choice(reads, _WEIGHTS)


SPACE: Final = Space(
    {
        **{f"node_{i}": _tree(i) for i in range(NODES)},
        "memory": Choice([f"node_{i}" for i in range(NODES)]),
    },
    canonical=canonical,
    graph=graph,
)


def _written(text: str, memory: int) -> Architecture:
    """Return the cell of lines such as ``product 1 c``; a number stands for a node."""
    values: dict[str, str] = {"memory": f"node_{memory}"}
    for i, line in enumerate(text.strip().splitlines()):
        operation, *reads = line.split()
        values[f"node_{i}"] = operation
        for name, read in _pairs(operation, reads):
            values[f"node_{i}.{operation}.{name}"] = f"node_{read}" if read.isdigit() else read
    return SPACE.architecture(values)


def _pairs(operation: str, reads: list[str]) -> Iterator[tuple[str, str]]:
    names = READS[operation]
    return zip(names, [*reads, *[NONE] * (len(names) - len(reads))], strict=True)


_LSTM: Final = """
linear x h
sigmoid 0
linear x h
sigmoid 2
linear x h
tanh 4
linear x h
sigmoid 6
product 3 c
product 1 5
sum 8 9
tanh 10
product 7 11
"""
# The first three nodes have no influence: a GRU needs ten.
_GRU: Final = """
tanh x
tanh x
tanh x
linear x h
sigmoid 3
linear x h
sigmoid 5
linear h
product 4 7
linear x
sum 8 9
tanh 10
blend 6 h 11
"""
PUBLISHED: Final[Mapping[str, Architecture]] = MappingProxyType(
    {
        # Hochreiter & Schmidhuber, 1997, with the forget gate of Gers et al., 2000
        "LSTM": _written(_LSTM, 10),
        # Cho et al., 2014, arXiv:1406.1078, with the reset gate behind the linear layer
        "GRU": _written(_GRU, 0),
    }
)
"""Cells by their names."""
