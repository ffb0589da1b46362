"""Small cells: those of NAS-Bench-201 without ``none`` and without one of its convolutions.

Each of the six edges is a skip, a convolution of 3x3 or a pooling. This gives 3^6 = 729 cells. The
table ``digits`` has results of training each of them; see ``raynas.tables.digits``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from raynas.oneshot.choose import Undecided
from raynas.oneshot.relaxation import plain
from raynas.space import Architecture, Choice, Space
from search_spaces import nasbench201
from search_spaces.nasbench201.cell import EDGES, ENTERING, POOL, SKIP, canonical, draw, graph

if TYPE_CHECKING:
    from torch import nn

__all__ = ["RELAXATION", "SPACE", "build", "draw"]

OPERATIONS: Final = (SKIP, "nor_conv_3x3", POOL)

SPACE: Final = Space(
    {path: Choice(OPERATIONS) for path in EDGES.values()}, canonical=canonical, graph=graph
)

RELAXATION: Final = plain(SPACE, ENTERING)


def build(
    architecture: Architecture | Undecided,
    input_shape: tuple[int, ...],
    outputs: int,
    *,
    channels: int = 4,
    cells: int = 3,
) -> nn.Module:
    """Build the network of NAS-Bench-201 around a cell, narrow and with few cells by default.

    Args:
        architecture: The cell; or an ``Undecided``, for a supernet.
        input_shape: The shape of one image: (channels, height, width).
        outputs: How many numbers the network returns per example, such as one logit per class.
        channels: The width of the first of the three stages.
        cells: Copies of the cell in each stage.

    Returns:
        A module that maps ``[batch, *input_shape]`` to logits ``[batch, outputs]``.

    Raises:
        ConfigError: The input is not an image, or a size is below one.
    """
    return nasbench201.build(architecture, input_shape, outputs, channels=channels, cells=cells)
