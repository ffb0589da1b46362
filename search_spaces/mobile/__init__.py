"""Stages of inverted residual blocks, as in searches of networks for phones.

The layout is that of MobileNetV2 (arXiv:1801.04381) and of related spaces: MnasNet
(arXiv:1807.11626), ProxylessNAS (arXiv:1812.00332), Once-for-all (arXiv:1908.09791). The decisions
are width, number of blocks and squeeze-and-excitation per stage, kernel and expansion per block.
``PUBLISHED`` holds MobileNetV2, MnasNet-A1 and MnasNet-B1.

Options of a width have tensors of different shapes, so they cannot be mixed. Methods that mix
options, such as ``proxyless``, search the space ``search_spaces.mobile.proxyless``, whose widths
are fixed.
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
    outputs: int,
    *,
    width: float = 1.0,
    dropout: float = 0.2,
) -> nn.Module:
    """Return the network.

    An image of 224 pixels is halved five times, as published. A smaller image is halved until
    four pixels are left: 32 pixels three times, 8 pixels once.

    Differs from the published networks for ``width`` below 1: the last convolution is narrower,
    too.

    Args:
        architecture: An architecture of ``SPACE``.
        input_shape: The shape of one image: (channels, height, width).
        outputs: How many numbers the network returns per example, such as one logit per class.
        width: The factor of all widths, which are rounded to multiples of 8.
        dropout: The share of features dropped before the last layer.

    Returns:
        A module that maps ``[batch, *input_shape]`` to logits ``[batch, outputs]``.

    Raises:
        ConfigError: The input is not an image, or a size is not above zero.
    """
    from search_spaces.mobile.network import network  # noqa: PLC0415 - torch only to build

    activation = str(architecture["activation"])
    return network(stages(architecture), activation, input_shape, outputs, width, dropout)
