"""Networks for texts, after TextNAS (Wang et al., 2020, arXiv:1912.10729), in a small size.

Each layer applies one of eight operations to one of the last five layers, and adds the outputs of
any earlier layers to the result (section 3). The network reads a weighted sum of all layers. This
space has 6 layers, to be trained on a CPU. ``search_spaces.textnas.published`` is the same with
the paper's 24 layers, and holds a published architecture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from raynas.oneshot.choose import Undecided
from raynas.space import Architecture
from search_spaces.textnas.layers import draw, space
from search_spaces.textnas.relaxed import relaxation

if TYPE_CHECKING:
    from torch import nn

__all__ = ["RELAXATION", "SPACE", "build", "draw"]

SPACE: Final = space(6)
RELAXATION: Final = relaxation(6)


def build(
    architecture: Architecture | Undecided,
    *,
    vocabulary: int,
    length: int,
    outputs: int,
    width: int = 32,
    dropout: float = 0.2,
) -> nn.Module:
    """Return the network.

    Padding (id 0) has no influence but on the moments of batch normalisations, as in the paper's
    code.

    Differs from the paper: the embedding is learnt and has ``width`` numbers per word, instead of
    the 300 of GloVe. A max pooling at the end of a text does not count padding as zero.

    Args:
        architecture: An architecture of ``SPACE``; or an ``Undecided``, for a supernet.
        vocabulary: The number of ids.
        length: The ids of a text; the network takes other lengths, too.
        outputs: How many numbers the network returns per text.
        width: The channels of all layers, a multiple of four: 32 in the paper's search, 256 in its
            evaluation.
        dropout: The share of numbers dropped from embeddings, and by each convolution, GRU and
            attention.

    Returns:
        A module that maps ids ``[batch, length]`` (int64) to ``[batch, outputs]``.

    Raises:
        ConfigError: A size is below one, the width is no multiple of four, or dropout is not a
            probability below one.
    """
    from search_spaces.textnas.network import network  # noqa: PLC0415 - torch only to build

    sizes = {"vocabulary": vocabulary, "length": length, "outputs": outputs, "width": width}
    return network(architecture, sizes, dropout)
