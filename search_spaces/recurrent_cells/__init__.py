"""Recurrent cells for language models, of the kind of NAS-Bench-NLP.

A cell computes 13 nodes from the input ``x`` and two states, ``h`` and ``c`` (Klyuchnikov et al.,
2020, arXiv:2006.07116, section 3). A node is one of seven operations. The last node is the next
``h``, which is also the cell's output; one of the nodes is the next ``c``. Nodes that influence
neither are not built. ``PUBLISHED`` holds the cells that ``torch.nn.LSTM`` and ``torch.nn.GRU``
compute.

Differs from the benchmark: there are up to two states instead of three, up to 13 nodes instead of
24, and a linear operation reads up to two values instead of any number. Products and unbounded
states are cut off at 16, so that no cell overflows. The first states are learnt instead of zero,
because with zero some products remain zero.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from raynas.oneshot.choose import Undecided
from raynas.space import Architecture
from search_spaces.recurrent_cells.cell import PUBLISHED, SPACE, draw
from search_spaces.recurrent_cells.relaxed import RELAXATION

if TYPE_CHECKING:
    from torch import nn

__all__ = ["PUBLISHED", "RELAXATION", "SPACE", "build", "draw"]


def build(
    architecture: Architecture | Undecided,
    *,
    vocabulary: int,
    length: int,
    width: int = 128,
    layers: int = 1,
    dropout: float = 0.1,
) -> nn.Module:
    """Return the network: an embedding, layers of the cell, logits with the embedding's weights.

    Each layer's output is added to its input and normalised, so that every cell can be trained,
    also one that does not read its input. The benchmark does neither, and has three layers.

    Args:
        architecture: The cell; or an ``Undecided``, for a supernet.
        vocabulary: The number of ids.
        length: The ids of a text; the network takes other lengths, too.
        width: The size of the embedding, of the states and of all nodes.
        layers: How many layers of the cell there are, each with its own weights.
        dropout: The share of numbers dropped before and after each layer.

    Returns:
        A module that maps ids ``[batch, length]`` (int64) to logits ``[batch, length,
        vocabulary]``. The logits at a place depend on the ids up to this place only.

    Raises:
        ConfigError: A size is below one, or dropout is not a probability below one.
    """
    from search_spaces.recurrent_cells.network import network  # noqa: PLC0415 - torch only to build

    return network(architecture, vocabulary, length, width, layers, dropout)
