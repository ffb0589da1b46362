"""A pair of cells in the notation of published papers; pure Python."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from raynas.errors import SpaceError, unknown

SEARCHED: Final = (
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
OPERATIONS: Final = (*SEARCHED, "none", "sep_conv_7x7", "conv_7x1_1x7")

Edge = tuple[str, int]
"""An operation and the node it reads."""


@dataclass(frozen=True, slots=True)
class Genotype:
    """A normal and a reduction cell.

    Node 1 of a cell is the output of the cell before it, node 0 the output of the cell before
    that one; each further node is the sum of two edges. Lists and ranges become tuples.

    Attributes:
        normal: The edges of the normal cell, two per node, from node 2 on.
        normal_concat: The nodes whose concatenated channels are its output.
        reduce: The edges of the reduction cell; those that read node 0 or 1 have stride 2.
        reduce_concat: The nodes whose concatenated channels are its output.

    Raises:
        SpaceError: An operation is unknown, the number of edges is odd, or a node does not exist.
    """

    normal: tuple[Edge, ...]
    normal_concat: tuple[int, ...]
    reduce: tuple[Edge, ...]
    reduce_concat: tuple[int, ...]

    def __post_init__(self) -> None:
        """Freeze and check both cells."""
        for cell in ("normal", "reduce"):
            edges = tuple((name, source) for name, source in getattr(self, cell))
            concat = tuple(getattr(self, f"{cell}_concat"))
            _check(cell, edges, concat)
            object.__setattr__(self, cell, edges)
            object.__setattr__(self, f"{cell}_concat", concat)


def _check(cell: str, edges: Sequence[Edge], concat: Sequence[int]) -> None:
    if not edges or len(edges) % 2:
        raise SpaceError(f"a cell needs two edges per node, got {len(edges)} in {cell}")
    for i, (name, source) in enumerate(edges):
        if name not in OPERATIONS:
            raise SpaceError(unknown("operation", name, OPERATIONS))
        _check_node(f"edge {i} of {cell} reads", source, 2 + i // 2)
    for node in concat:
        _check_node(f"{cell}_concat has", node, 2 + len(edges) // 2)
    if not concat:
        raise SpaceError(f"{cell}_concat must name at least one node")


def _check_node(what: str, node: int, end: int) -> None:
    if not 0 <= node < end:
        raise SpaceError(f"{what} node {node}, which must be in 0..{end - 1}")
