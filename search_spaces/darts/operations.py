"""The operations on the edges of a cell, as modules.

An operation that begins with a ReLU does not apply the ReLU itself: its input must be rectified,
so that all edges that read one node share one ReLU. ``wants_rectified`` tells which ones need it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import torch
import torch.nn.functional as F  # noqa: N812 - as everyone writes it
from torch import Tensor, nn


def operation(name: str, channels: int, stride: int) -> nn.Module:
    """Return the operation ``name``, from ``channels`` to ``channels``, with stride 1 or 2."""
    return _MAKERS[name](channels, stride)


def is_skip(name: str, stride: int) -> bool:
    """Return whether an edge passes its input on unchanged."""
    return name == "skip_connect" and stride == 1


def wants_rectified(name: str, stride: int) -> bool:
    """Return whether an edge needs a rectified input."""
    return not (is_skip(name, stride) or name in ("none", "max_pool_3x3", "avg_pool_3x3"))


def pointwise(given: int, made: int) -> nn.Sequential:
    """Return a 1x1 convolution with batch normalisation; expects a rectified input."""
    return nn.Sequential(nn.Conv2d(given, made, 1, bias=False), nn.BatchNorm2d(made))


class FactorizedReduce(nn.Module):
    """Halve the size: one 1x1 convolution on the even pixels beside one on the odd ones.

    Expects a rectified input. An odd size is rounded up; the pixels missing for that are zero.
    """

    def __init__(self, given: int, made: int) -> None:
        super().__init__()
        self.even = nn.Conv2d(given, made // 2, 1, 2, bias=False)
        self.odd = nn.Conv2d(given, made - made // 2, 1, 2, bias=False)
        self.norm = nn.BatchNorm2d(made)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[batch, given, height, width]`` to half the size, ``made`` channels."""
        height, width = x.shape[2:]
        shifted = F.pad(x, (0, width % 2, 0, height % 2))[:, :, 1:, 1:]
        halves: Tensor = self.norm(torch.cat([self.even(x), self.odd(shifted)], 1))
        return halves


class DropPath(nn.Module):
    """In training, set an example's input to zero with a probability (arXiv:1605.07648)."""

    def __init__(self, chance: float) -> None:
        super().__init__()
        self.chance = chance

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape and, on average, the value."""
        if not self.training:
            return x
        kept = x.new_empty((len(x), 1, 1, 1)).bernoulli_(1 - self.chance)
        return x * kept.div_(1 - self.chance)


class _Zero(nn.Module):
    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x[:, :, :: self.stride, :: self.stride])


def _skip(channels: int, stride: int) -> nn.Module:
    return nn.Identity() if stride == 1 else FactorizedReduce(channels, channels)


def _depthwise(channels: int, kernel: int, stride: int, dilation: int = 1) -> list[nn.Module]:
    padding = dilation * (kernel // 2)
    return [
        nn.Conv2d(
            channels, channels, kernel, stride, padding, dilation, groups=channels, bias=False
        ),
        *pointwise(channels, channels),
    ]


def _separable(kernel: int) -> Callable[[int, int], nn.Module]:
    return lambda channels, stride: nn.Sequential(
        *_depthwise(channels, kernel, stride),
        nn.ReLU(inplace=True),
        *_depthwise(channels, kernel, 1),
    )


def _dilated(kernel: int) -> Callable[[int, int], nn.Module]:
    return lambda channels, stride: nn.Sequential(
        *_depthwise(channels, kernel, stride, dilation=2)
    )


def _crossed(channels: int, stride: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(channels, channels, (1, 7), (1, stride), (0, 3), bias=False),
        nn.Conv2d(channels, channels, (7, 1), (stride, 1), (3, 0), bias=False),
        nn.BatchNorm2d(channels),
    )


_MAKERS: Final[Mapping[str, Callable[[int, int], nn.Module]]] = MappingProxyType(
    {
        "none": lambda _, stride: _Zero(stride),
        "max_pool_3x3": lambda _, stride: nn.MaxPool2d(3, stride, 1),
        "avg_pool_3x3": lambda _, stride: nn.AvgPool2d(3, stride, 1, count_include_pad=False),
        "skip_connect": _skip,
        "sep_conv_3x3": _separable(3),
        "sep_conv_5x5": _separable(5),
        "sep_conv_7x7": _separable(7),
        "dil_conv_3x3": _dilated(3),
        "dil_conv_5x5": _dilated(5),
        "conv_7x1_1x7": _crossed,
    }
)
