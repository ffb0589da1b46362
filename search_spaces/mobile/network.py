"""The network: stem, six stages of inverted residual blocks, head."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from torch import Tensor, nn

from raynas.errors import ConfigError
from search_spaces.mobile.layout import HEAD, STEM, Stage

_HALVES: Final = (0, 1, 2, 3, 5)  # the stem, and the stages that halve a 224x224 image to 7x7
_SMALLEST: Final = 4  # pixels below which nothing is halved


Make = Callable[[int, int, int], nn.Module]
"""``make(entering, leaving, stride)`` makes the blocks of a stage; the first has the stride."""


def network(
    stages: Iterable[Stage],
    activation: str,
    input_shape: tuple[int, ...],
    classes: int,
    width: float,
    dropout: float,
) -> nn.Module:
    """Return the network; see ``search_spaces.mobile.build``."""
    act: type[nn.Module] = getattr(nn, activation)
    made = ((stage.width, partial(_stage, stage, act)) for stage in stages)
    return assembled(made, act, input_shape, classes, width, dropout)


def assembled(
    stages: Iterable[tuple[int, Make]],
    act: type[nn.Module],
    input_shape: tuple[int, ...],
    classes: int,
    width: float,
    dropout: float,
) -> nn.Module:
    """Return stem, stages and head, one after the other.

    Args:
        stages: The width of each stage in channels, and what makes its blocks.
        act: The activation.
        input_shape: The shape of one image: (channels, height, width).
        classes: The number of outputs.
        width: The factor of all widths.
        dropout: The share of features dropped before the last layer.

    Raises:
        ConfigError: The input is not an image, or a size is not above zero.
    """
    if len(input_shape) != 3:
        raise ConfigError(f"images of shape (channels, height, width) are needed: {input_shape=}")
    if min(*input_shape, classes) < 1 or not 0 < width < math.inf:
        raise ConfigError(f"sizes must be above zero: {input_shape=}, {classes=}, {width=}")
    halved = halvings(min(input_shape[1:]))
    inner, channels = (scaled(one, width) for one in STEM)
    stem = _stem(input_shape[0], inner, channels, 2 if 0 in halved else 1, act)
    parts: OrderedDict[str, nn.Module] = OrderedDict(stem=stem)
    for number, (wide, make) in enumerate(stages, start=1):
        out = scaled(wide, width)
        parts[f"stage{number}"] = make(channels, out, 2 if number in halved else 1)
        channels = out
    head = scaled(HEAD, width)
    parts["head"] = nn.Sequential(
        *conv(channels, head, 1),
        act(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(dropout),
        nn.Linear(head, classes),
    )
    return nn.Sequential(parts)


def _stem(entering: int, inner: int, leaving: int, stride: int, act: type[nn.Module]) -> nn.Module:
    return nn.Sequential(
        *conv(entering, inner, 3, stride=stride),
        act(),
        *conv(inner, inner, 3, groups=inner),
        act(),
        *conv(inner, leaving, 1),
    )


def _stage(
    stage: Stage, act: type[nn.Module], entering: int, leaving: int, stride: int
) -> nn.Module:
    blocks = nn.Sequential()
    for kernel, expansion in stage.blocks:
        squeezed = max(int(entering * stage.ratio), 1) if stage.ratio else 0
        channels = (entering, entering * expansion, leaving)
        blocks.append(Block(channels, kernel, stride, squeezed, act))
        entering, stride = leaving, 1
    return blocks


class Block(nn.Module):
    """Widen, filter each channel by itself, narrow; around it a shortcut where shapes allow."""

    def __init__(
        self,
        channels: tuple[int, int, int],
        kernel: int,
        stride: int,
        squeezed: int,
        act: type[nn.Module],
    ) -> None:
        """Make the layers.

        Args:
            channels: How many enter, how many there are within, how many leave.
            kernel: The side of the filters, in pixels.
            stride: Of the filters.
            squeezed: Channels in the middle of squeeze-and-excitation; zero without.
            act: The activation.
        """
        super().__init__()
        entering, inner, leaving = channels
        self.layers = nn.Sequential(
            *conv(entering, inner, 1),
            act(),
            *conv(inner, inner, kernel, stride=stride, groups=inner),
            act(),
            # In its place even if absent, so that the layers after it keep their names.
            Squeeze(inner, squeezed) if squeezed else nn.Identity(),
            *conv(inner, leaving, 1),
        )
        self.shortcut = stride == 1 and entering == leaving

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[batch, entering, height, width]`` to ``[batch, leaving, …]``."""
        y: Tensor = self.layers(x)
        return x + y if self.shortcut else y


class Squeeze(nn.Module):
    """Channels scaled by what their means say (Hu et al., 2018, arXiv:1709.01507)."""

    def __init__(self, channels: int, squeezed: int) -> None:
        """Make the layers: ``channels`` to ``squeezed`` and back."""
        super().__init__()
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, squeezed, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(squeezed, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Scale ``[batch, channels, height, width]`` by channel."""
        gate: Tensor = self.gate(x)
        return x * gate


def conv(
    entering: int, leaving: int, kernel: int, *, stride: int = 1, groups: int = 1
) -> tuple[nn.Module, nn.Module]:
    """Return a convolution that keeps the size (but for the stride), and its batch norm."""
    return (
        nn.Conv2d(
            entering, leaving, kernel, stride, padding=kernel // 2, groups=groups, bias=False
        ),
        nn.BatchNorm2d(leaving),
    )


def halvings(side: int) -> frozenset[int]:
    """Return where an image of ``side`` pixels is halved: 0 is the stem, others are stages.

    As often as leaves four pixels, at most five times; the first places are left out first, so
    that small images keep their size where networks for large ones shrink them early.
    """
    times = min(int(math.log2(max(side / _SMALLEST, 1))), len(_HALVES))
    return frozenset(_HALVES[len(_HALVES) - times :])


def scaled(channels: int, width: float) -> int:
    """Return ``width`` times the channels, as the nearest multiple of 8 not over 10% below."""
    exact = channels * width
    near = max(8, int(exact + 4) // 8 * 8)
    return near if near >= 0.9 * exact else near + 8
