"""Small language models: decoder-only transformers.

The decisions are those in which published decoders differ: the sizes; GELU, SwiGLU (Shazeer, 2020,
arXiv:2002.05202) or squared ReLU (So et al., 2021, arXiv:2109.08668); layer norm or RMS norm
(Zhang & Sennrich, 2019, arXiv:1910.07467), before or after each part (Xiong et al., 2020,
arXiv:2002.04745); learnt positions, rotary positions (Su et al., 2021, arXiv:2104.09864) or none
(Haviv et al., 2022, arXiv:2203.16634); and whether input and output share an embedding (Press &
Wolf, 2017, arXiv:1608.05859).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from raynas.space import Architecture
from search_spaces.decoder.decisions import SPACE, draw

if TYPE_CHECKING:
    from torch import nn

__all__ = ["SPACE", "build", "draw"]


def build(architecture: Architecture, *, vocabulary: int, length: int) -> nn.Module:
    """Return the network.

    The first weights are those of GPT-2: normal with a standard deviation of 0.02, smaller where a
    part's result is added, biases zero.

    Args:
        architecture: An architecture of ``SPACE``.
        vocabulary: The number of ids.
        length: The most ids of a text.

    Returns:
        A module that maps ids ``[batch, up to length]`` (int64) to logits ``[batch, the same,
        vocabulary]``. The logits at a place depend on the ids up to this place only.

    Raises:
        ConfigError: A size is below one.
    """
    from search_spaces.decoder.network import network  # noqa: PLC0415 - torch only to build

    return network(architecture, vocabulary, length)
