"""The searched pair of cells as decisions; pure Python."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, combinations, permutations, product
from typing import Final

from raynas.errors import SpaceError
from raynas.space import Architecture, Choice, Node, Space
from raynas.space.graph import Graph
from raynas.space.values import Value
from search_spaces.darts import layers
from search_spaces.darts.genotype import SEARCHED, Edge, Genotype

NODES: Final = (2, 3, 4, 5)
_CELLS: Final = ("normal", "reduce")

_Node = tuple[Edge, ...]

# Every pair of two different nodes before a node, so that no pair can be invalid.
_PAIRS: Final = {
    f"{one},{other}": (one, other) for one, other in combinations(range(max(NODES)), 2)
}


def canonical(architecture: Architecture) -> str:
    """Return a text that is equal if and only if two pairs of cells are the same graphs.

    The number of an intermediate node does not matter: it only determines the order in which the
    cell's outputs are concatenated.
    """
    return " ".join(_text(_renumbered(_edges(architecture, cell))) for cell in _CELLS)


def graph(architecture: Architecture) -> Graph:
    """Return both cells as layers, the same for pairs of cells that are the same graphs."""
    normal, reduction = (_renumbered(_edges(architecture, cell)) for cell in _CELLS)
    return layers.graph(normal, reduction)


def to_genotype(architecture: Architecture) -> Genotype:
    """Return the two cells in the notation of DARTS."""
    normal, reduce = (_edges(architecture, cell) for cell in _CELLS)
    return Genotype(normal, NODES, reduce, NODES)


def from_genotype(genotype: Genotype) -> Architecture:
    """Return the architecture of two cells in the notation of DARTS.

    Raises:
        SpaceError: The space does not hold them: a cell has not four nodes, or not all of them as
            output, or an operation that is not searched, or a node that reads another twice.
    """
    values = _decisions("normal", genotype.normal, genotype.normal_concat)
    values |= _decisions("reduce", genotype.reduce, genotype.reduce_concat)
    return SPACE.architecture({path: values[path] for path in SPACE.decisions})


def draw(architecture: Architecture) -> str:
    """Return, for each cell, one line per node: the sum it computes."""
    genotype = to_genotype(architecture)
    lines = []
    for cell, edges in (("normal", genotype.normal), ("reduction", genotype.reduce)):
        lines.append(f"{cell} cell: output = nodes {', '.join(map(str, NODES))} side by side")
        for i, node in enumerate(NODES):
            terms = (f"{name}({_source(source)})" for name, source in edges[2 * i : 2 * i + 2])
            lines.append(f"  node {node} = {' + '.join(terms)}")
    return "\n".join(lines)


def _source(node: int) -> str:
    return f"input {node}" if node < 2 else f"node {node}"


def _tree(node: int) -> Node:
    operations = {"first": Choice(SEARCHED), "second": Choice(SEARCHED)}
    pairs = [name for name, pair in _PAIRS.items() if max(pair) < node]
    return operations if len(pairs) == 1 else {"inputs": Choice(pairs)} | operations


def _edges(architecture: Architecture, cell: str) -> tuple[Edge, ...]:
    edges = []
    for node in NODES:
        path = f"{cell}.node_{node}"
        pair = architecture.get(f"{path}.inputs", "0,1")  # node 2 has no other pair to choose
        for source, place in zip(_PAIRS[str(pair)], ("first", "second"), strict=True):
            edges.append((str(architecture[f"{path}.{place}"]), source))
    return tuple(edges)


def _decisions(cell: str, edges: Sequence[Edge], concat: Sequence[int]) -> dict[str, Value]:
    if len(edges) != 2 * len(NODES) or sorted(concat) != list(NODES):
        raise SpaceError(
            f"a cell of this space must have the nodes {NODES} and all of them as its output, "
            f"got {len(edges) // 2} nodes and the output {concat} in {cell}; "
            "network() builds any genotype"
        )
    values: dict[str, Value] = {}
    for i, node in enumerate(NODES):
        (first, low), (second, high) = sorted(edges[2 * i : 2 * i + 2], key=lambda edge: edge[1])
        if low == high:
            raise SpaceError(f"node {node} of {cell} must read two nodes, got {low} twice")
        path = f"{cell}.node_{node}"
        values |= {f"{path}.inputs": f"{low},{high}"}
        values |= {f"{path}.first": first, f"{path}.second": second}
    return values


def _renumbered(edges: Sequence[Edge]) -> tuple[_Node, ...]:
    """Return the edges of each node, ordered, after the nodes were renumbered.

    Nodes are ordered by the expressions that they compute of the inputs; among nodes of equal
    expression, the order that gives the least text is taken.
    """
    pairs = [edges[i : i + 2] for i in range(0, len(edges), 2)]
    sums = ["0", "1"]
    for pair in pairs:
        sums.append("+".join(sorted(f"{name}({sums[source]})" for name, source in pair)))
    alike: dict[str, list[int]] = {}
    for node, term in sorted(enumerate(sums[2:]), key=lambda item: item[1]):
        alike.setdefault(term, []).append(node)

    def nodes(order: Sequence[int]) -> tuple[_Node, ...]:
        number = {0: 0, 1: 1} | {2 + node: 2 + place for place, node in enumerate(order)}
        return tuple(
            tuple(sorted((name, number[source]) for name, source in pairs[node])) for node in order
        )

    orders = product(*map(permutations, alike.values()))
    return min((nodes([*chain.from_iterable(groups)]) for groups in orders), key=_text)


def _text(nodes: Sequence[_Node]) -> str:
    return "|".join("+".join(f"{name}~{source}" for name, source in node) for node in nodes)


SPACE: Final = Space(
    {cell: {f"node_{node}": _tree(node) for node in NODES} for cell in _CELLS},
    canonical=canonical,
    graph=graph,
)
