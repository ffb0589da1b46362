"""Networks that forecast series, with a linear part.

A dense network reads all places at once; it suits short series. The convolutions are those of a
TCN (Bai et al., 2018, arXiv:1803.01271), attention reads patches as in PatchTST (Nie et al., 2023,
arXiv:2211.14730), recurrence is a GRU or an LSTM. Each window of feature 0 is normalised by its
deviation and by its mean or its last value, and the forecast is scaled back; the last value comes
alone or with a linear layer on this feature, as in NLinear (Zeng et al., 2023, arXiv:2205.13504).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from raynas.space import Architecture
from search_spaces.series.decisions import SPACE, draw

if TYPE_CHECKING:
    from torch import nn

__all__ = ["SPACE", "build", "draw"]


def build(architecture: Architecture, *, input_shape: tuple[int, ...], outputs: int) -> nn.Module:
    """Return the network.

    Differs from the papers: the convolutions have no weight normalisation, and attention reads all
    features of a patch together.

    Args:
        architecture: An architecture of ``SPACE``.
        input_shape: The shape of one example: (length, features); feature 0 is to be forecast.
        outputs: How many numbers the network returns per example: how far it forecasts.

    Returns:
        A module that maps ``[batch, length, features]`` (float32) to ``[batch, outputs]``.

    Raises:
        ConfigError: The input is not a series, or a size is below one.
    """
    from search_spaces.series.network import network  # noqa: PLC0415 - torch only to build

    return network(architecture, input_shape, outputs)
