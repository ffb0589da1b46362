"""The cells of a supernet as decisions: an operation for each edge; pure Python."""

from __future__ import annotations

from typing import Final

from raynas.oneshot.relaxation import Relaxation, Strengths
from raynas.space import Architecture, Choice, Space
from search_spaces.darts.cells import NODES, from_genotype, to_genotype
from search_spaces.darts.genotype import SEARCHED, Edge, Genotype

NONE: Final = "none"
OPTIONS: Final = (NONE, *SEARCHED)
_CELLS: Final = ("normal", "reduce")

SPACE: Final = Space(
    {
        cell: {
            f"edge_{source}_{node}": Choice(OPTIONS) for node in NODES for source in range(node)
        }
        for cell in _CELLS
    }
)
"""All edges of both cells; an edge that a cell does not have is ``none``."""


def path_of(cell: str, source: int, node: int) -> str:
    """Return the decision of an edge."""
    return f"{cell}.edge_{source}_{node}"


def path(architecture: Architecture) -> Architecture:
    """Return the edges of an architecture."""
    genotype = to_genotype(architecture)
    values = dict.fromkeys(SPACE.decisions, NONE)
    for cell, edges in zip(_CELLS, (genotype.normal, genotype.reduce), strict=True):
        for at, (operation, source) in enumerate(edges):
            values[path_of(cell, source, NODES[at // 2])] = operation
    return SPACE.architecture(values)


def derive(strengths: Strengths) -> Architecture:
    """Return the architecture of the strongest edges, as DARTS does (section 2.4).

    Each node keeps the two edges whose strongest operation but ``none`` is strongest, with that
    operation.
    """
    normal, reduce = (_derived(cell, strengths) for cell in _CELLS)
    return from_genotype(Genotype(normal, NODES, reduce, NODES))


def _derived(cell: str, strengths: Strengths) -> tuple[Edge, ...]:
    edges: list[Edge] = []
    for node in NODES:
        best = []
        for source in range(node):
            own = strengths[path_of(cell, source, node)]
            strength, at = max((own[at], -at) for at in range(1, len(OPTIONS)))
            best.append((strength, -source, OPTIONS[-at]))
        kept = sorted(best, reverse=True)[:2]
        edges += sorted(((name, -source) for _, source, name in kept), key=lambda edge: edge[1])
    return tuple(edges)


def _nodes() -> dict[str, tuple[str, ...]]:
    """Return the edges that enter each node."""
    return {
        f"{cell}.node_{node}": tuple(path_of(cell, source, node) for source in range(node))
        for cell in _CELLS
        for node in NODES
    }


RELAXATION: Final = Relaxation(SPACE, path, derive, _nodes())
