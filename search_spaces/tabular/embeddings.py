"""Columns as vectors."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn


class Plain(nn.Module):
    """A number as one feature."""

    made = 1

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[batch, columns]`` to ``[batch, columns, 1]``."""
        return x.unsqueeze(-1)


class Piecewise(nn.Module):
    """How far a number fills each of several bins (Gorishniy et al., 2022, equation 1).

    The bins are equally probable for a normal distribution; the outer ones have no end.

    Attributes:
        made: The features of a number.
        starts: ``[bins]``: where each bin begins.
        widths: ``[bins]``: how wide it is.
        low: ``[bins]``: the least value of each feature.
        high: ``[bins]``: the greatest.
    """

    starts: Tensor
    widths: Tensor
    low: Tensor
    high: Tensor

    def __init__(self, bins: int) -> None:
        """Make the bins."""
        super().__init__()
        self.made = bins
        # The outer ends exist only to say how wide the outer bins are.
        inner = torch.linspace(0, 1, bins + 1).clamp(0.25 / bins, 1 - 0.25 / bins)
        edges = math.sqrt(2) * torch.erfinv(2 * inner - 1)
        self.register_buffer("starts", edges[:-1], persistent=False)
        self.register_buffer("widths", edges.diff(), persistent=False)
        low, high = torch.zeros(bins), torch.ones(bins)
        low[0], high[-1] = -math.inf, math.inf
        self.register_buffer("low", low, persistent=False)
        self.register_buffer("high", high, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[batch, columns]`` to ``[batch, columns, bins]``."""
        filled = (x.unsqueeze(-1) - self.starts) / self.widths
        return torch.clamp(filled, self.low, self.high)


class Periodic(nn.Module):
    """Sines and cosines of learnt frequencies (Gorishniy et al., 2022, equation 2)."""

    def __init__(self, columns: int, frequencies: int, scale: float) -> None:
        """Draw the first frequencies of each column, with standard deviation ``scale``."""
        super().__init__()
        self.made = 2 * frequencies
        self.frequencies = nn.Parameter(scale * torch.randn(columns, frequencies))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[batch, columns]`` to ``[batch, columns, 2 * frequencies]``."""
        angles = 2 * math.pi * self.frequencies * x.unsqueeze(-1)
        return torch.cat([angles.sin(), angles.cos()], -1)


Features = Plain | Piecewise | Periodic


class Numbers(nn.Module):
    """Numbers as vectors: their features, and for each column a linear layer of its own."""

    def __init__(self, features: Features, columns: int, width: int, *, rectified: bool) -> None:
        """Make the layers; ``rectified`` puts a ReLU behind them."""
        super().__init__()
        self.features = features
        self.rectified = rectified
        bound = features.made**-0.5
        self.weight = nn.Parameter(torch.empty(columns, features.made, width))
        self.bias = nn.Parameter(torch.empty(columns, width))
        nn.init.uniform_(self.weight, -bound, bound)
        nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[batch, columns]`` to ``[batch, columns, width]``."""
        by_column = self.features(x).transpose(0, 1)
        vectors = torch.baddbmm(self.bias.unsqueeze(1), by_column, self.weight).transpose(0, 1)
        return vectors.relu() if self.rectified else vectors


class Categories(nn.Module):
    """One-hot columns as vectors; a block of zeros (an unknown category) is a vector of zeros."""

    def __init__(self, sizes: Sequence[int], width: int) -> None:
        """Make an embedding of ``width`` numbers per column."""
        super().__init__()
        self.sizes = list(sizes)
        self.embeddings = nn.ModuleList(nn.Linear(size, width, bias=False) for size in sizes)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[batch, sum(sizes)]`` to ``[batch, len(sizes), width]``."""
        blocks = zip(self.embeddings, torch.split(x, self.sizes, 1), strict=True)
        return torch.stack([embedding(block) for embedding, block in blocks], 1)


def features(kind: str, decided: Mapping[str, Any], columns: int) -> Features:
    """Return what makes the features of numbers."""
    match kind:
        case "piecewise":
            return Piecewise(decided["bins"])
        case "periodic":
            return Periodic(columns, decided["frequencies"], decided["scale"])
        case _:
            return Plain()
