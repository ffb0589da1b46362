"""Cut a graph where everything passes through one layer, and fold pieces that repeat."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from raynas.space.graph import Edge, Graph

_LONGEST: Final = 6  # pieces that repeat together


@dataclass(frozen=True, slots=True)
class Piece:
    """Successive layers between two layers through which everything passes.

    Attributes:
        layers: Their positions in the graph; the last one is the one that all later layers see.
        edges: The connections within; -1 stands for the last layer of the piece before.
    """

    layers: range
    edges: tuple[Edge, ...]


@dataclass(frozen=True, slots=True)
class Fold:
    """Pieces that are drawn once.

    Attributes:
        pieces: The pieces, one after the other.
        times: How many times they occur in succession.
    """

    pieces: tuple[Piece, ...]
    times: int = 1


def folds(graph: Graph, marked: Collection[int] = ()) -> list[Fold]:
    """Return the pieces of a graph in their order; equal neighbours are folded.

    Args:
        graph: The graph.
        marked: Positions of layers that differ from all others, so that none is hidden.
    """
    pieces = _pieces(graph)
    signatures = [_signature(graph, piece, marked) for piece in pieces]
    found: list[Fold] = []
    at = 0
    while at < len(pieces):
        length, times = _best(signatures, at)
        found.append(Fold(tuple(pieces[at : at + length]), times))
        at += length * times
    return found


def _pieces(graph: Graph) -> list[Piece]:
    reads: list[list[int]] = [[] for _ in graph.layers]
    leads = [0] * len(graph.layers)
    for source, target in sorted({*(graph.shown or graph.edges)}):
        reads[target].append(source)
        leads[source] = max(leads[source], target)
    pieces, begin, furthest = [], 0, 0
    for place, lead in enumerate(leads):
        if furthest <= place:  # no connection from an earlier layer leads over this one
            layers = range(begin, place + 1)
            edges = ((s - begin, t - begin) for t in layers for s in reads[t])
            pieces.append(Piece(layers, tuple(edges)))
            begin = place + 1
        furthest = max(furthest, lead)
    return pieces


def _signature(graph: Graph, piece: Piece, marked: Collection[int]) -> object:
    layers = tuple(
        (layer.kind, layer.variant, layer.note, _unnumbered(layer.group), place in marked)
        for place, layer in ((place, graph.layers[place]) for place in piece.layers)
    )
    return layers, piece.edges


def _unnumbered(group: str) -> str:
    """Return a group without its number, for equal groups to be folded."""
    return group.rstrip("0123456789")


def _best(signatures: Sequence[object], at: int) -> tuple[int, int]:
    """Return how many pieces repeat from here, and how often, so that most are folded."""
    best = (1, 1)
    for length in range(1, _LONGEST + 1):
        first, times = signatures[at : at + length], 1
        while signatures[at + times * length : at + (times + 1) * length] == first:
            times += 1
        if times > 1 and length * (times - 1) > best[0] * (best[1] - 1):
            best = (length, times)
    return best
