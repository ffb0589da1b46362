"""An architecture as a graph of layers, for graph kernels and path encodings."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from raynas.errors import SpaceError
from raynas.space.architecture import Architecture
from raynas.space.decision import Decision
from raynas.space.nodes import Choice

_ENDS: Final = 0.1  # the mass of the input, and of the output, as a share of all other layers
_RANGE: Final = 8.0  # the ends of a number's range differ as much as kernels of size 1 and 9

Edge = tuple[int, int]
"""The position of a layer, and the position of a layer that reads its output."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of a network.

    Attributes:
        kind: What it does, such as ``"conv"``; layers of different kinds are never matched.
        mass: Its amount of computation, in any unit; NASBOT uses units times incoming units.
        variant: How layers of one kind differ: a name, or a number such as a kernel's size.
        note: What a picture says below the kind; if empty, it is the variant.
        group: The cell or stage of which it is a part; a picture draws a frame around it.

    Only pictures use ``note`` and ``group``: layers that differ only in them are equal.
    """

    kind: str
    mass: float
    variant: str | float | None = None
    note: str = field(default="", compare=False)
    group: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Graph:
    """Layers and their connections.

    Attributes:
        layers: The layers, in an order in which they can be computed.
        edges: The connections, ascending by the layer that is read.
        shown: The connections that a picture shows, if they are not ``edges``: all of them, where
            there would be too many paths for searchers that look at each path.

    Raises:
        SpaceError: There is no layer, a mass is not a number of at least zero, or an edge leads
            out of the graph or backwards.
    """

    layers: tuple[Layer, ...]
    edges: tuple[Edge, ...] = ()
    shown: tuple[Edge, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        """Check masses and edges, and put the edges in order."""
        if not self.layers:
            raise SpaceError("a graph needs at least one layer, got none")
        for layer in self.layers:
            if not 0 <= layer.mass < math.inf:
                raise SpaceError(f"the mass of a layer must be at least zero, got {layer}")
        for source, target in (*self.edges, *self.shown):
            if not 0 <= source < target < len(self.layers):
                raise SpaceError(
                    "an edge must lead from a layer to a later layer, with positions from 0 to "
                    f"{len(self.layers) - 1}, got {(source, target)}"
                )
        object.__setattr__(self, "edges", tuple(sorted(self.edges)))


def between_ends(
    layers: Sequence[Layer], edges: Iterable[Edge], shown: Iterable[Edge] = ()
) -> Graph:
    """Return the graph of these layers with an input layer before and an output layer after them.

    A layer that reads nothing is connected to the input, and a layer that is not read to the
    output. The mass of each end is a tenth of all layers together, as in NASBOT (which also sets
    a least mass of 100).

    Args:
        layers: The layers between the ends.
        edges: Pairs of positions: 0 is the input, 1 the first layer, and the output is the last.
        shown: As in ``Graph``, with positions as in ``edges``; empty if they are ``edges``.
    """
    mass = _ENDS * math.fsum(layer.mass for layer in layers)
    ends = Layer("input", mass), Layer("output", mass)
    last, more = len(layers) + 1, {*shown}
    pictured = _completed(last, more) if more else ()
    return Graph((ends[0], *layers, ends[1]), _completed(last, {*edges}), pictured)


def _completed(last: int, given: set[Edge]) -> tuple[Edge, ...]:
    """Return connections with those of the input (0) and those of the output (last)."""
    read = {source for source, _ in given}
    given |= {(place, last) for place in range(1, last) if place not in read}
    reading = {target for _, target in given}
    return tuple(given | {(0, place) for place in range(1, last + 1) if place not in reading})


def chain(layers: Sequence[Layer]) -> Graph:
    """Return the graph of layers one after the other, between an input and an output."""
    return between_ends(layers, pairwise(range(len(layers) + 2)))


def decision_chain(decisions: Mapping[str, Decision], architecture: Architecture) -> Graph:
    """Return an architecture of any space as a graph: its active decisions, one after the other.

    A decision becomes a layer of mass one; the kind is its path, the variant its value.

    Args:
        decisions: The decisions of the space, by path.
        architecture: One of its architectures.
    """
    layers = []
    for path, value in architecture.items():
        domain = decisions[path].domain
        variant = repr(value) if isinstance(domain, Choice) else _RANGE * domain.unit(value)
        note = f"{value:.4g}" if isinstance(value, float) else str(value)
        layers.append(Layer(path, 1.0, variant, note, path.rpartition(".")[0]))
    return chain(layers)
