"""The network around the cell."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Final, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812 - as everyone writes it
from torch import Tensor, nn

from raynas.errors import ConfigError
from raynas.oneshot.choose import Undecided, choose
from raynas.oneshot.mixture import Zero
from search_spaces.nasbench201.cell import EDGES, KERNELS, NODES, NONE, POOL, SKIP, Edge


def network(
    cell: Callable[[int], nn.Module],
    input_shape: tuple[int, ...],
    classes: int,
    channels: int,
    cells: int,
) -> nn.Module:
    """Return stem, three stages of cells with a residual block before the later two, and head.

    ``cell`` makes a cell for a number of channels.
    """
    if len(input_shape) != 3:
        raise ConfigError(f"images of shape (channels, height, width) are needed: {input_shape=}")
    if min(*input_shape, classes, channels, cells) < 1:
        raise ConfigError(
            f"sizes must be at least 1: {input_shape=}, {classes=}, {channels=}, {cells=}"
        )
    parts: OrderedDict[str, nn.Module] = OrderedDict(stem=_conv_bn(input_shape[0], channels, 3))
    width = channels
    for stage in range(3):
        if stage:
            parts[f"reduction_{stage}"] = Reduction(width)
            width *= 2
        parts[f"stage_{stage}"] = nn.Sequential(*(cell(width) for _ in range(cells)))
    parts["head"] = nn.Sequential(
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(width, classes),
    )
    return nn.Sequential(parts)


class _Node(NamedTuple):
    """The source nodes of a node, by operation; a convolution with its name."""

    convs: tuple[tuple[int, str], ...]
    pools: tuple[int, ...]
    skips: tuple[int, ...]


class Cell(nn.Module):
    """Four nodes of one width and size, each the sum of its edges.

    Two things save computation: one ReLU per node serves all convolutions that read it, and the
    inputs of the poolings of a node are added first, because pooling is linear.
    """

    def __init__(self, operations: Mapping[Edge, str], channels: int) -> None:
        super().__init__()
        self.convs = nn.ModuleDict()
        for (source, target), operation in operations.items():
            if operation in KERNELS:
                self.convs[f"{source}_{target}"] = _conv_bn(channels, channels, KERNELS[operation])
        self.nodes = tuple(_node(operations, target) for target in range(1, NODES))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[batch, channels, height, width]`` to the same shape."""
        values = [x]
        rectified: dict[int, Tensor] = {}
        for node in self.nodes:
            fresh = []
            for source, name in node.convs:
                if source not in rectified:
                    rectified[source] = F.relu(values[source])
                fresh.append(self.convs[name](rectified[source]))
            if node.pools:
                pooled = _sum([], [values[source] for source in node.pools])
                fresh.append(F.avg_pool2d(pooled, 3, 1, 1, count_include_pad=False))
            skipped = [values[source] for source in node.skips]
            values.append(_sum(fresh, skipped) if fresh or skipped else torch.zeros_like(x))
        return values[-1]


class MixedCell(nn.Module):
    """The cell of a supernet: each edge is a mixture of its operations."""

    def __init__(self, architecture: Undecided, channels: int) -> None:
        super().__init__()
        # Convolutions have the same names as in ``Cell``.
        self.convs = nn.ModuleDict(
            {
                f"{source}_{target}": choose(architecture, path, _OPTIONS, channels)
                for (source, target), path in EDGES.items()
            }
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[batch, channels, height, width]`` to the same shape."""
        values = [x]
        for target in range(1, NODES):
            edges = (self.convs[f"{source}_{target}"](values[source]) for source in range(target))
            values.append(sum(edges))
        return values[-1]


class Reduction(nn.Module):
    """A residual block that halves the size and doubles the width."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.halve = _conv_bn(channels, 2 * channels, 3, stride=2)
        self.refine = _conv_bn(2 * channels, 2 * channels, 3)
        # Rounding up keeps odd sizes equal to those of the strided convolution.
        self.shortcut = nn.Sequential(
            nn.AvgPool2d(2, 2, ceil_mode=True), nn.Conv2d(channels, 2 * channels, 1, bias=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[batch, channels, height, width]`` to twice the width, half the size (up)."""
        inner = F.relu(self.halve(F.relu(x)), inplace=True)
        shortcut: Tensor = self.shortcut(x)
        return shortcut.add_(self.refine(inner))


def _conv_bn(given: int, made: int, kernel: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(given, made, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(made)
    )


def _node(operations: Mapping[Edge, str], target: int) -> _Node:
    into = [(source, operations[source, target]) for source in range(target)]
    return _Node(
        convs=tuple((source, f"{source}_{target}") for source, name in into if name in KERNELS),
        pools=tuple(source for source, name in into if name == POOL),
        skips=tuple(source for source, name in into if name == SKIP),
    )


def _sum(fresh: list[Tensor], shared: list[Tensor]) -> Tensor:
    """Add tensors; write into the first one only if it is fresh (nothing else reads it)."""
    total, *others = fresh + shared
    for i, term in enumerate(others):
        total = total.add_(term) if fresh or i else total + term
    return total


class _Rectified(nn.Sequential):
    """A convolution and its batch normalisation, after a ReLU."""

    def forward(self, x: Tensor) -> Tensor:
        convolution, norm = self
        value: Tensor = norm(convolution(F.relu(x)))
        return value


def _rectified(kernel: int, channels: int) -> nn.Module:
    return _Rectified(*_conv_bn(channels, channels, kernel))


_OPTIONS: Final[Mapping[str, Callable[[int], nn.Module]]] = MappingProxyType(
    {
        NONE: lambda _: Zero(),
        SKIP: lambda _: nn.Identity(),
        POOL: lambda _: nn.AvgPool2d(3, 1, 1, count_include_pad=False),
        **{name: partial(_rectified, size) for name, size in KERNELS.items()},
    }
)
