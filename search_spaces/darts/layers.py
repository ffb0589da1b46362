"""The two cells as one graph of layers; pure Python.

As in BANANAS, the two cells are parallel, each with its own inputs: a path leads through one of
them, and layers of different cells are never matched. A layer represents all its copies in the
network of eight cells that ``build`` makes. Its mass is that of NASBOT, units times incoming
units; a separable convolution is a depthwise and a 1x1 convolution, both twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from raynas.space.graph import Edge, Graph, Layer, between_ends

Node = Sequence[tuple[str, int]]
"""The operations that a node of a cell adds up, each with the node it reads."""

_INPUTS: Final = 2
_SIDE_BY_SIDE: Final = 4  # nodes of the cell before, which an input narrows to the width of one


class _Cell(NamedTuple):
    """A kind of cell: its name, and the widths of its copies."""

    name: str
    widths: tuple[int, ...]

    @property
    def group(self) -> str:
        return f"{self.name} cell"

    @property
    def units(self) -> int:
        return sum(self.widths)

    @property
    def pointwise(self) -> int:
        """The mass of a convolution of size 1."""
        return sum(width * width for width in self.widths)


_NORMAL: Final = _Cell("normal", (16, 16, 32, 32, 64, 64))
_REDUCTION: Final = _Cell("reduction", (32, 64))


def graph(normal: Sequence[Node], reduction: Sequence[Node]) -> Graph:
    """Return the inputs, operations and nodes of both cells as layers.

    A node has no mass; nodes distinguish a skip, which connects two nodes, from a missing edge. A
    skip is a layer only if it halves the size, by a convolution.

    Args:
        normal: The nodes of the normal cell from node 2 on, in any order of their numbers.
        reduction: Those of the reduction cell.
    """
    layers: list[Layer] = []
    edges: list[Edge] = []
    sums: list[int] = []
    for cell, nodes in ((_NORMAL, normal), (_REDUCTION, reduction)):
        places: dict[int, int] = {}
        for number in range(_INPUTS):
            mass = float(_SIDE_BY_SIDE * cell.pointwise)
            layers.append(Layer(f"{cell.name} input {number}", mass, group=cell.group))
            places[number] = len(layers)
        for number, terms in _computable(nodes):
            summed = []
            for name, source in terms:
                summed.append(places[source])
                if layer := _operation(cell, name, halves=cell is _REDUCTION and source < _INPUTS):
                    layers.append(replace(layer, group=cell.group))
                    edges.append((places[source], len(layers)))
                    summed[-1] = len(layers)
            layers.append(Layer(f"{cell.name} sum", 0.0, group=cell.group))
            places[number] = len(layers)
            sums.append(len(layers))
            edges += ((term, len(layers)) for term in summed)
    return between_ends(layers, [*edges, *((place, len(layers) + 1) for place in sums)])


def _computable(nodes: Sequence[Node]) -> Iterator[tuple[int, Node]]:
    """Yield the nodes with their numbers, each after those it reads."""
    waiting = dict(enumerate(nodes, start=_INPUTS))
    while waiting:
        ready = (
            number
            for number, terms in waiting.items()
            if not any(source in waiting for _, source in terms)
        )
        number = next(ready)
        yield number, waiting.pop(number)


def _operation(cell: _Cell, name: str, *, halves: bool) -> Layer | None:
    """Return the layer of an operation; none of a plain skip."""
    match name.split("_"):
        case ["skip", _]:
            halving = Layer(f"{cell.name} conv", float(cell.pointwise), "halving")
            return halving if halves else None
        case [how, "pool", _]:
            return Layer(f"{cell.name} pool", float(cell.units), how)
        case ["sep", _, size]:
            once = float(cell.units + cell.pointwise)
            return Layer(f"{cell.name} conv", 2 * once, f"separable {size}")
        case _:
            once = float(cell.units + cell.pointwise)
            return Layer(f"{cell.name} conv", once, f"dilated {name[-3:]}")
