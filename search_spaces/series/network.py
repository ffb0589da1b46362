"""The network around the layers that read the series."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from raynas.errors import ConfigError
from raynas.space import Architecture
from search_spaces.series.bodies import Attention, Convolution, Dense, Recurrence
from search_spaces.series.decisions import body

_LEAST: Final = 1e-3  # of the deviation of a window, which may be constant


def network(architecture: Architecture, input_shape: tuple[int, ...], outputs: int) -> nn.Module:
    """Build what ``search_spaces.series.build`` describes."""
    if len(input_shape) != 2:
        raise ConfigError(f"series of shape (length, features) are needed: {input_shape=}")
    if min(*input_shape, outputs) < 1:
        raise ConfigError(f"sizes must be at least 1: {input_shape=}, {outputs=}")
    kind, decided = body(architecture)
    length, features = input_shape
    own: nn.Module
    match kind:
        case "dense":
            own = Dense(decided, length * features, outputs)
        case "convolution":
            own = Convolution(decided, features, outputs)
        case "recurrence":
            own = Recurrence(decided, features, outputs)
        case _:
            own = Attention(decided, length, features, outputs)
    if architecture["linear"] == "none":
        return Forecast(own)
    return Changes(own, nn.Linear(length, outputs) if architecture["linear"] == "layer" else None)


class Forecast(nn.Module):
    """Forecast the values of feature 0."""

    def __init__(self, own: nn.Module) -> None:
        """Keep what reads the series."""
        super().__init__()
        self.own = own

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[batch, length, features]`` to ``[batch, outputs]``."""
        forecast: Tensor = self.own(x)
        return forecast


class Changes(Forecast):
    """Forecast how feature 0 will differ from its last value, in deviations of its window.

    So a network can forecast values, and swings, that are larger than all in training (reversible
    instance normalisation: Kim et al., 2022, ICLR).
    """

    def __init__(self, own: nn.Module, linear: nn.Linear | None) -> None:
        """Keep the parts: ``own`` reads all features, ``linear`` only feature 0."""
        super().__init__(own)
        self.linear = linear

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[batch, length, features]`` to ``[batch, outputs]``."""
        series = x[:, :, 0]
        last = series[:, -1:]
        scale = series.std(1, keepdim=True, correction=0).clamp(min=_LEAST)
        changes = (series - last) / scale
        forecast = super().forward(torch.cat([changes.unsqueeze(-1), x[:, :, 1:]], -1))
        if self.linear is not None:
            forecast = forecast + self.linear(changes)
        return forecast * scale + last
