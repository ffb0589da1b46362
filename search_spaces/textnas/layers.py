"""The layers as decisions; pure Python."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from raynas.space import Architecture, Choice, Node, Space, Value
from raynas.space.graph import Graph, Layer, between_ends

OPERATIONS: Final = (
    "conv1",
    "conv3",
    "conv5",
    "conv7",
    "average_pool3",
    "max_pool3",
    "gru",
    "attention",
)
"""In the order of the paper's code."""

REACH: Final = 5
"""How far back a layer can read."""

# Weights per channel that enters; a pooling has none, and the mass of a few additions.
_MASSES: Final[Mapping[str, float]] = {
    "conv1": 1.0,
    "conv3": 3.0,
    "conv5": 5.0,
    "conv7": 7.0,
    "average_pool3": 0.1,
    "max_pool3": 0.1,
    "gru": 12.0,
    "attention": 3.0,
}


@dataclass(frozen=True, slots=True)
class Step:
    """One layer.

    Attributes:
        operation: What it does.
        source: The layer that it reads; -1 is the embedding.
        skips: The layers whose outputs are added to its result.
    """

    operation: str
    source: int
    skips: tuple[int, ...]


def space(layers: int) -> Space:
    """Return the space of networks with so many layers."""
    return Space({f"layer_{i}": tree(i) for i in range(layers)}, graph=graph)


def steps(architecture: Architecture) -> list[Step]:
    """Return the layers of an architecture, of any number of layers."""
    found: list[Step] = []
    while f"layer_{len(found)}.operation" in architecture:
        i = len(found)
        back = architecture.get(f"layer_{i}.back", 1)
        skips = tuple(j for j in range(i) if architecture[f"layer_{i}.skip_{j}"])
        found.append(Step(str(architecture[f"layer_{i}.operation"]), i - int(str(back)), skips))
    return found


def graph(architecture: Architecture) -> Graph:
    """Return the layers as a tree, each connected to the one that it reads and to the output.

    By skips as further edges there would be millions of paths: they are the layer's variant.
    """
    layers, edges, added = [], [], []
    found = steps(architecture)
    for i, step in enumerate(found, start=1):
        skips = "+".join(map(str, step.skips))
        mass, note = _MASSES[step.operation], f"layer {i - 1}"
        layers.append(Layer(step.operation, mass, f"skips {skips}", note))
        edges += [(step.source + 1, i), (i, len(found) + 1)]
        added += [(skip + 1, i) for skip in step.skips]
    return between_ends(layers, edges, [*edges, *added])


def draw(architecture: Architecture) -> str:
    """Return one line per layer: its operation, what it reads, and what is added."""
    lines = []
    for i, step in enumerate(steps(architecture)):
        source = "input" if step.source < 0 else f"layer {step.source}"
        skips = " ".join(map(str, step.skips))
        added = f" + layers {skips}" if step.skips else ""
        lines.append(f"layer {i:<2} = {step.operation}({source}){added}")
    return "\n".join(lines)


def from_numbers(text: str) -> dict[str, Value]:
    """Return the decisions of an architecture that is written as in the paper's code.

    A line holds the layer that is read (0 is the last one; a number without a layer counts as 0,
    too), the number of the operation, and one number per earlier layer: 1 for a skip.
    """
    values: dict[str, Value] = {}
    for i, line in enumerate(text.strip().splitlines()):
        back, operation, *skips = map(int, line.split())
        if i > 1:
            values[f"layer_{i}.back"] = 1 + (back if back < min(i, REACH) else 0)
        values[f"layer_{i}.operation"] = OPERATIONS[operation]
        values |= {f"layer_{i}.skip_{j}": bool(skip) for j, skip in enumerate(skips)}
    return values


def tree(number: int) -> dict[str, Node]:
    """Return the decisions of a layer, by its number."""
    decisions: dict[str, Node] = {}
    if number > 1:  # the second layer has only one to read
        decisions["back"] = Choice(tuple(range(1, min(number, REACH) + 1)))
    decisions["operation"] = Choice(OPERATIONS)
    return decisions | {f"skip_{j}": Choice((False, True)) for j in range(number)}
