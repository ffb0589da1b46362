"""The cells of DARTS (Liu et al., 2019, arXiv:1806.09055), and other cells of the NASNet kind.

A network is a stack of one normal cell, with one reduction cell at a third and one at two thirds
of its depth. The space is that of DARTS: four nodes per cell, each the sum of two operations on
two different earlier nodes. ``network`` builds any pair of cells in the notation of DARTS, among
them the published ones in ``GENOTYPES``.

Differs from the published training: there is no auxiliary head, and drop-path does not grow.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from raynas.errors import ConfigError
from raynas.oneshot.choose import Undecided
from raynas.space import Architecture
from search_spaces.darts.cells import SPACE, draw, from_genotype, to_genotype
from search_spaces.darts.genotype import Genotype
from search_spaces.darts.published import GENOTYPES
from search_spaces.darts.relaxed import RELAXATION

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "GENOTYPES",
    "RELAXATION",
    "SPACE",
    "Genotype",
    "build",
    "draw",
    "from_genotype",
    "network",
    "to_genotype",
]


def build(
    architecture: Architecture | Undecided,
    input_shape: tuple[int, ...],
    outputs: int,
    *,
    channels: int = 16,
    cells: int = 8,
    drop_path: float = 0.0,
) -> nn.Module:
    """Build the network of an architecture: see ``network``.

    Args:
        architecture: The two cells; or an ``Undecided``, for a supernet, in which each node has an
            edge from each earlier node.
        input_shape: As in ``network``, like all others.
        outputs: How many numbers the network returns per example.
        channels: The width of the first normal cells' nodes.
        cells: The number of cells.
        drop_path: The probability of drop-path.

    Differs from the supernet of the paper: batch normalisations are those of the network that is
    trained from scratch, with scales and shifts, and poolings have none. So a child can share the
    weights of the supernet.
    """
    if isinstance(architecture, Undecided):
        from search_spaces.darts import mixed, stack  # noqa: PLC0415 - only building needs torch

        _check_drop_path(drop_path)
        cell = partial(mixed.MixedCell, architecture, drop_path=drop_path)
        return stack.network(cell, input_shape, outputs, channels, cells)
    return network(
        to_genotype(architecture),
        input_shape,
        outputs,
        channels=channels,
        cells=cells,
        drop_path=drop_path,
    )


def network(
    genotype: Genotype,
    input_shape: tuple[int, ...],
    outputs: int,
    *,
    channels: int = 16,
    cells: int = 8,
    drop_path: float = 0.0,
) -> nn.Module:
    """Build the network of a genotype.

    There is one convolution before the cells, as published for CIFAR-10. If height and width of
    the images are at least 128 pixels, there are three convolutions that divide the size by
    eight, as for ImageNet.

    Args:
        genotype: The two cells.
        input_shape: The shape of one image: (channels, height, width).
        outputs: How many numbers the network returns per example, such as one logit per class.
        channels: The width of the first normal cells' nodes; each reduction cell doubles it.
        cells: The number of cells.
        drop_path: The probability that an edge (except a plain skip) is zero for an example in
            training.

    Returns:
        A module that maps ``[batch, *input_shape]`` to logits ``[batch, outputs]``.

    Raises:
        ConfigError: The input is not an image, a size is below one, or drop-path is not a
            probability below one.
    """
    from search_spaces.darts import stack  # noqa: PLC0415 - only building needs torch

    _check_drop_path(drop_path)
    cell = partial(stack.Cell, genotype, drop_path=drop_path)
    return stack.network(cell, input_shape, outputs, channels, cells)


def _check_drop_path(drop_path: float) -> None:
    if not 0 <= drop_path < 1:
        raise ConfigError(f"0 <= drop_path < 1 must hold, got {drop_path}")
