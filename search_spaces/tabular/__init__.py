"""Networks for tables: a linear layer, a residual MLP or a small transformer on the columns.

Numbers are embedded as in Gorishniy et al. (2022, arXiv:2203.05556): not at all, piecewise linear
or periodic. The linear layer reads the features of all columns side by side; it suits small
tables. The residual MLP and the transformer, which reads one token per column, are the ResNet and
the FT-Transformer of Gorishniy et al. (2021, arXiv:2106.11959).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from raynas.space import Architecture
from search_spaces.tabular.decisions import SPACE, draw

if TYPE_CHECKING:
    from torch import nn

__all__ = ["SPACE", "build", "draw"]


def build(
    architecture: Architecture,
    *,
    input_shape: tuple[int, ...],
    numerical: int,
    categories: tuple[int, ...],
    outputs: int,
) -> nn.Module:
    """Return the network.

    Differs from the papers: the bins of the piecewise linear embedding are quantiles of the normal
    distribution, not of the data, because the numbers are normalised. All embeddings of a network
    have one width. Categories enter as one-hot columns, so an embedding is a linear layer without
    bias.

    Args:
        architecture: An architecture of ``SPACE``.
        input_shape: The shape of one example: (features,).
        numerical: How many columns at the beginning hold normalised numbers.
        categories: The number of one-hot columns of each categorical column, in their order.
        outputs: How many numbers the network returns per example.

    Returns:
        A module that maps ``[batch, features]`` (float32) to ``[batch, outputs]``.

    Raises:
        ConfigError: The input is not a row, a size is below one, or the columns do not add up.
    """
    from search_spaces.tabular.network import network  # noqa: PLC0415 - torch only to build

    return network(architecture, input_shape, numerical, categories, outputs)
