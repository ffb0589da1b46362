"""The network around the cells."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812 - as everyone writes it
from torch import Tensor, nn

from raynas.errors import ConfigError
from search_spaces.darts.genotype import Edge, Genotype
from search_spaces.darts.operations import (
    DropPath,
    FactorizedReduce,
    is_skip,
    operation,
    pointwise,
    wants_rectified,
)

_LARGE: Final = 128  # pixels


def network(
    cell: Callable[[Place], Any],
    input_shape: tuple[int, ...],
    classes: int,
    channels: int,
    cells: int,
) -> nn.Module:
    """Build what ``search_spaces.darts.network`` describes; ``cell`` makes a cell for a place."""
    if len(input_shape) != 3:
        raise ConfigError(f"images of shape (channels, height, width) are needed: {input_shape=}")
    if min(*input_shape, classes, channels, cells) < 1:
        raise ConfigError(
            f"sizes must be at least 1: {input_shape=}, {classes=}, {channels=}, {cells=}"
        )
    large = min(input_shape[1:]) >= _LARGE
    stem = (LargeStem if large else SmallStem)(input_shape[0], channels)
    before, now, halved, width = stem.made, stem.made, large, channels
    stack = []
    for i in range(cells):
        reduces = i in (cells // 3, 2 * cells // 3)
        width *= 2 if reduces else 1
        stack.append(cell(Place(before, now, width, reduces, halved)))
        before, now, halved = now, stack[-1].made, reduces
    return Network(stem, stack, nn.Linear(now, classes))


class Network(nn.Module):
    """A stem, a stack of cells and a linear layer on the mean over all pixels."""

    def __init__(self, stem: nn.Module, cells: list[nn.Module], classify: nn.Linear) -> None:
        super().__init__()
        self.stem = stem
        self.cells = nn.ModuleList(cells)
        self.classify = classify

    def forward(self, x: Tensor) -> Tensor:
        """Map images to logits."""
        before, now = self.stem(x)
        *body, last = self.cells
        for cell in body:
            before, now = now, F.relu(cell(before, now), inplace=True)
        logits: Tensor = self.classify(last(before, now).mean((2, 3)))
        return logits


class Place(NamedTuple):
    """Where a cell stands.

    Attributes:
        before: Channels of the cell before the previous one.
        now: Channels of the previous cell.
        channels: Channels of each node.
        reduces: Whether the cell halves the size.
        halved: Whether the previous one did, so that its predecessor's output is larger.
    """

    before: int
    now: int
    channels: int
    reduces: bool
    halved: bool


class _Edge(NamedTuple):
    """Its operation, the node it reads, whether behind a ReLU, whether its result is its own."""

    name: str
    source: int
    rectified: bool
    owned: bool


class Cell(nn.Module):
    """A graph of nodes, each the sum of two edges.

    Expects its inputs rectified; one ReLU per node serves all edges that begin with one.

    Attributes:
        made: Channels of the output.
    """

    def __init__(self, genotype: Genotype, place: Place, drop_path: float) -> None:
        super().__init__()
        edges = genotype.reduce if place.reduces else genotype.normal
        self.concat = genotype.reduce_concat if place.reduces else genotype.normal_concat
        self.made = place.channels * len(self.concat)
        self.fit_before, self.fit_now = fits(place)
        self.operations = nn.ModuleDict()
        self.edges: list[_Edge] = []
        for i, (name, source) in _own_first(edges):
            stride = 2 if place.reduces and source < 2 else 1
            step = operation(name, place.channels, stride)
            named = edge_name(source, 2 + i // 2)
            if named in self.operations:  # a node may read another one twice
                named += "_again"
            self.operations[named] = with_drop_path(step, name, stride, drop_path)
            owned = not is_skip(name, stride)
            self.edges.append(_Edge(named, source, wants_rectified(name, stride), owned))

    def forward(self, before: Tensor, now: Tensor) -> Tensor:
        """Map the two inputs to ``[batch, made, height, width]``."""
        values = [self.fit_before(before), self.fit_now(now)]
        rectified: dict[int, Tensor] = {}
        for i in range(0, len(self.edges), 2):
            one, other = (self._term(edge, values, rectified) for edge in self.edges[i : i + 2])
            values.append(one.add_(other) if self.edges[i].owned else one + other)
        return torch.cat([values[node] for node in self.concat], 1)

    def _term(self, edge: _Edge, values: list[Tensor], rectified: dict[int, Tensor]) -> Tensor:
        if edge.rectified and edge.source not in rectified:
            rectified[edge.source] = F.relu(values[edge.source])
        read = rectified if edge.rectified else values
        term: Tensor = self.operations[edge.name](read[edge.source])
        return term


def edge_name(source: int, node: int) -> str:
    """Return the name of an edge's operation: an edge that changes renames no other."""
    return f"{source}_{node}"


def fits(place: Place) -> tuple[nn.Module, nn.Module]:
    """Return what brings the two inputs of a cell to its channels and its size."""
    before = FactorizedReduce if place.halved else pointwise
    return before(place.before, place.channels), pointwise(place.now, place.channels)


def with_drop_path(step: nn.Module, name: str, stride: int, drop_path: float) -> nn.Module:
    """Return an operation with drop-path after it; a plain skip has none."""
    plain = is_skip(name, stride) or not drop_path
    return step if plain else nn.Sequential(step, DropPath(drop_path))


class SmallStem(nn.Module):
    """One convolution at full size; serves as both inputs of the first cell."""

    def __init__(self, given: int, channels: int) -> None:
        super().__init__()
        self.made = 3 * channels
        self.step = _conv_bn(given, self.made, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map images to two rectified inputs."""
        value = F.relu(self.step(x), inplace=True)
        return value, value


class LargeStem(nn.Module):
    """Three convolutions that halve the size; the first cell sees the second's and third's."""

    def __init__(self, given: int, channels: int) -> None:
        super().__init__()
        self.made = channels
        self.quarter = nn.Sequential(
            _conv_bn(given, (channels + 1) // 2, 2),
            nn.ReLU(inplace=True),
            _conv_bn((channels + 1) // 2, channels, 2),
            nn.ReLU(inplace=True),
        )
        self.eighth = nn.Sequential(_conv_bn(channels, channels, 2), nn.ReLU(inplace=True))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map images to two rectified inputs, the first twice the size of the second."""
        quarter = self.quarter(x)
        return quarter, self.eighth(quarter)


def _own_first(edges: Sequence[Edge]) -> Iterator[tuple[int, Edge]]:
    """Yield both edges of each node, skips last: the other's result can take up the sum.

    Each comes with its place among all edges.
    """
    numbered = [*enumerate(edges)]
    for i in range(0, len(edges), 2):
        yield from sorted(numbered[i : i + 2], key=lambda edge: edge[1][0] == "skip_connect")


def _conv_bn(given: int, made: int, stride: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(given, made, 3, stride, 1, bias=False), nn.BatchNorm2d(made))
