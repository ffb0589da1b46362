"""The network of the layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

import torch
from torch import Tensor, nn

from raynas.errors import ConfigError
from raynas.oneshot.choose import Undecided
from raynas.space import Architecture
from search_spaces.textnas.layers import Step, steps
from search_spaces.textnas.mixed import MixedLayer
from search_spaces.textnas.operations import HEADS, Convolution, operation

MakeLayer = Callable[[int, float], nn.Module]
"""Makes a layer for a width and a dropout."""

_SPREAD: Final = 0.1  # of the first embeddings; larger ones outweigh what rare words teach


def network(
    architecture: Architecture | Undecided, sizes: Mapping[str, int], dropout: float
) -> nn.Module:
    """Build what ``search_spaces.textnas.build`` describes."""
    if min(sizes.values()) < 1:
        given = ", ".join(f"{name}={size}" for name, size in sizes.items())
        raise ConfigError(f"sizes must be at least 1: {given}")
    if sizes["width"] % HEADS:
        raise ConfigError(
            f"the width must be a multiple of the {HEADS} heads, got width={sizes['width']}"
        )
    if not 0 <= dropout < 1:
        raise ConfigError(f"0 <= dropout < 1 must hold, got {dropout}")
    layers: list[MakeLayer]
    if isinstance(architecture, Undecided):
        count = sum(path.endswith(".operation") for path in architecture)
        layers = [partial(MixedLayer, architecture, i) for i in range(count)]
    else:
        layers = [partial(Layer, step) for step in steps(architecture)]
    return Network(layers, sizes, dropout)


class Network(nn.Module):
    """Embedding, layers, and a linear layer on the mean of their weighted sum over all words."""

    def __init__(
        self, layers: Sequence[MakeLayer], sizes: Mapping[str, int], dropout: float
    ) -> None:
        """Make the layers."""
        super().__init__()
        width = sizes["width"]
        self.words = nn.Embedding(sizes["vocabulary"], width, padding_idx=0)
        nn.init.normal_(self.words.weight[1:], 0.0, _SPREAD)
        self.dropout = nn.Dropout(dropout)
        self.first = Convolution(width, 1, dropout)
        self.layers = nn.ModuleList(make(width, dropout) for make in layers)
        self.weights = nn.Parameter(torch.full((len(layers),), 1 / len(layers)))
        self.outputs = nn.Linear(width, sizes["outputs"])

    def forward(self, ids: Tensor) -> Tensor:
        """Map ids ``[batch, length]`` to ``[batch, outputs]``."""
        words = self.dropout(self.words(ids)).transpose(1, 2)
        mask = (ids != 0).unsqueeze(1).to(words.dtype)
        start = self.first(words, mask)
        values: list[Tensor] = []
        for layer in self.layers:
            values.append(layer(start, values, mask))
        shares = self.weights.softmax(0)
        total = sum(share * value for share, value in zip(shares.unbind(), values, strict=True))
        mean = (total * mask).sum(-1) / mask.sum(-1).clamp(min=1)
        outputs: Tensor = self.outputs(mean)
        return outputs


class Layer(nn.Module):
    """An operation, and the normalised sum of its result with earlier layers."""

    def __init__(self, step: Step, width: int, dropout: float) -> None:
        """Make the layers."""
        super().__init__()
        self.source, self.skips = step.source, step.skips
        # By name: an operation does not inherit the weights of another one.
        self.operation = nn.ModuleDict({step.operation: operation(step.operation, width, dropout)})
        self.norm = nn.BatchNorm1d(width) if step.skips else None

    def forward(self, start: Tensor, values: list[Tensor], mask: Tensor) -> Tensor:
        """Return this layer's ``[batch, width, length]``.

        Args:
            start: The embedded words, ``[batch, width, length]``.
            values: What the layers before returned.
            mask: ``[batch, 1, length]``: zero at padding.
        """
        read = start if self.source < 0 else values[self.source]
        (own,) = self.operation.values()
        value: Tensor = own(read, mask)
        if self.norm is None:
            return value
        for skip in self.skips:
            value = value + values[skip]
        normal: Tensor = self.norm(value) * mask
        return normal
