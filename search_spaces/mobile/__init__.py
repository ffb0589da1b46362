"""Inverted residual blocks in stages, as searched for phones.

The layout is that of MobileNetV2 (arXiv:1801.04381) and of the spaces around it: MnasNet
(arXiv:1807.11626), ProxylessNAS (arXiv:1812.00332), Once-for-all (arXiv:1908.09791). Decided are,
per stage, width, number of blocks and squeeze-and-excitation, per block kernel and expansion.
``PUBLISHED`` holds MobileNetV2, MnasNet-A1 and MnasNet-B1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from raynas.space import Architecture
from search_spaces.mobile.layout import SPACE, Stage, draw, from_stages, stages
from search_spaces.mobile.published import PUBLISHED

if TYPE_CHECKING:
    from torch import nn

__all__ = ["PUBLISHED", "SPACE", "Stage", "build", "draw", "from_stages", "stages"]


def build(
    architecture: Architecture,
    input_shape: tuple[int, ...],
    classes: int,
    *,
    width: float = 1.0,
    dropout: float = 0.2,
) -> nn.Module:
    """Return the network.

    An image of 224 pixels is halved five times, as published; a smaller one as often as leaves
    four pixels: 32 pixels three times, 8 pixels once.

    Differs from the published networks below width 1: the last convolution shrinks, too.

    Args:
        architecture: An architecture of ``SPACE``.
        input_shape: The shape of one image: (channels, height, width).
        classes: How many logits there are.
        width: What all widths are multiplied by, rounded to multiples of 8.
        dropout: The share of features dropped before the last layer.

    Returns:
        A module that maps ``[batch, *input_shape]`` to logits ``[batch, classes]``.

    Raises:
        ConfigError: The input is no image, or a size is not above zero.
    """
    from search_spaces.mobile.network import network  # noqa: PLC0415 - torch only to build

    activation = str(architecture["activation"])
    return network(stages(architecture), activation, input_shape, classes, width, dropout)
