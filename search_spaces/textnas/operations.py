"""The eight operations, each from ``[batch, width, length]`` to the same shape.

A mask ``[batch, 1, length]`` is one where there is a word, and zero at padding.
"""

from __future__ import annotations

from typing import Final

import torch
import torch.nn.functional as F  # noqa: N812 - as everyone writes it
from torch import Tensor, nn

HEADS: Final = 4
_HIDDEN: Final = -1e9  # a score that no other is below; minus infinity fails for empty texts


def operation(name: str, width: int, dropout: float) -> nn.Module:
    """Return the operation of this name."""
    match name:
        case "average_pool3":
            return AveragePool()
        case "max_pool3":
            return MaxPool()
        case "gru":
            return BidirectionalGRU(width, dropout)
        case "attention":
            return Attention(width, dropout)
        case _:
            return Convolution(width, int(name.removeprefix("conv")), dropout)


class Convolution(nn.Module):
    """Convolution, batch normalisation, ReLU, dropout."""

    def __init__(self, width: int, kernel: int, dropout: float) -> None:
        """Make the layers."""
        super().__init__()
        self.conv = nn.Conv1d(width, width, kernel, padding=kernel // 2)
        self.norm = nn.BatchNorm1d(width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Map ``[batch, width, length]`` to the same shape."""
        normal = self.norm(self.conv(x) * mask) * mask
        rectified: Tensor = self.dropout(normal.relu())
        return rectified


class AveragePool(nn.Module):
    """The mean of three places, where places outside of the text count as zero."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Map ``[batch, width, length]`` to the same shape."""
        return F.avg_pool1d(x, 3, 1, 1) * mask


class MaxPool(nn.Module):
    """The greatest of three places, without places outside of the text."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Map ``[batch, width, length]`` to the same shape."""
        words = torch.where(mask.bool(), x, torch.finfo(x.dtype).min)
        return F.max_pool1d(words, 3, 1, 1) * mask


class BidirectionalGRU(nn.Module):
    """Two GRUs, one from each end of the text; their outputs are added."""

    def __init__(self, width: int, dropout: float) -> None:
        """Make the layers."""
        super().__init__()
        self.forwards = nn.GRU(width, width, batch_first=True)
        self.backwards = nn.GRU(width, width, batch_first=True)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Map ``[batch, width, length]`` to the same shape."""
        sequence = x.transpose(1, 2)
        turned = turn(mask).unsqueeze(-1).expand_as(sequence)
        ahead, _ = self.forwards(sequence)
        back, _ = self.backwards(sequence.gather(1, turned))
        both = (ahead + back.gather(1, turned)).transpose(1, 2) * mask
        dropped: Tensor = self.dropout(both)
        return dropped


class Attention(nn.Module):
    """Attention of four heads with ReLU on all three inputs, then batch normalisation."""

    def __init__(self, width: int, dropout: float) -> None:
        """Make the layers."""
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.norm = nn.BatchNorm1d(width)
        self.dropout = dropout

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Map ``[batch, width, length]`` to the same shape."""
        sequence = x.transpose(1, 2)
        query, key, value = (
            layer(sequence).relu().unflatten(-1, (HEADS, -1)).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        scores = ((1 - mask) * _HIDDEN).unsqueeze(1)
        dropout = self.dropout if self.training else 0.0
        found = F.scaled_dot_product_attention(query, key, value, scores, dropout)
        joined = found.transpose(1, 2).flatten(2).transpose(1, 2) * mask
        normal: Tensor = self.norm(joined) * mask
        return normal


def turn(mask: Tensor) -> Tensor:
    """Return places ``[batch, length]`` that turn a text round and leave its padding behind it.

    To take these places twice gives the text again.
    """
    places = torch.arange(mask.shape[-1], device=mask.device).expand(mask.shape[0], -1)
    # One more than the place of the last word; zero for an empty text.
    end = (mask.squeeze(1) * (places + 1)).amax(1, keepdim=True).long()
    return torch.where(places < end, end - 1 - places, places)
