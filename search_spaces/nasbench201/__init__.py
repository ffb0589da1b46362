"""The cell of NAS-Bench-201 (Dong & Yang, 2020, arXiv:2001.00326).

A cell has four nodes. Each node is the sum over all earlier nodes of one of five operations. This
gives 5^6 = 15,625 cells, and the results of training are published for all of them. The network
around the cell is the published one; with fewer ``channels`` and ``cells`` it trains on a CPU.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from raynas.oneshot.choose import Undecided
from raynas.oneshot.relaxation import plain
from raynas.space import Architecture
from search_spaces.nasbench201.cell import (
    ENTERING,
    SPACE,
    draw,
    from_string,
    operations,
    prune,
    to_string,
)

if TYPE_CHECKING:
    from torch import nn

__all__ = ["RELAXATION", "SPACE", "build", "draw", "from_string", "prune", "to_string"]

RELAXATION: Final = plain(SPACE, ENTERING)


def build(
    architecture: Architecture | Undecided,
    input_shape: tuple[int, ...],
    outputs: int,
    *,
    channels: int = 16,
    cells: int = 5,
    dead_edges: bool = True,
) -> nn.Module:
    """Build the published network around a cell (paper, section 2.1).

    Args:
        architecture: The cell; or an ``Undecided``, for a supernet.
        input_shape: The shape of one image: (channels, height, width).
        outputs: How many numbers the network returns per example, such as one logit per class.
        channels: The width of the first of the three stages; the others have twice and four
            times as many.
        cells: Copies of the cell in each stage.
        dead_edges: Whether to build also the edges that ``prune`` removes, as in the published
            counts of parameters and multiply-adds. Without them training is faster and the output
            is the same, except for learnt biases of convolutions whose input is zero.

    Returns:
        A module that maps ``[batch, *input_shape]`` to logits ``[batch, outputs]``.

    Raises:
        ConfigError: The input is not an image, or a size is below one.
    """
    from search_spaces.nasbench201.network import (  # noqa: PLC0415 - torch only to build
        Cell,
        MixedCell,
        network,
    )

    make: Callable[[int], nn.Module]
    if isinstance(architecture, Undecided):
        make = partial(MixedCell, architecture)
    else:
        make = partial(Cell, dict(operations(architecture if dead_edges else prune(architecture))))
    return network(make, input_shape, outputs, channels, cells)
