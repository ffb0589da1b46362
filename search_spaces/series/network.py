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
    linear = nn.Linear(length, outputs) if architecture["linear"] == "layer" else None
    return Forecast(own, linear, by_mean=architecture["linear"] == "mean")


class Forecast(nn.Module):
    """Forecast feature 0 by its changes, in deviations of its window.

    So a network can forecast levels, and swings, that are larger than all in training (reversible
    instance normalisation: Kim et al., 2022, ICLR, which takes changes from the mean).
    """

    def __init__(self, own: nn.Module, linear: nn.Linear | None, *, by_mean: bool) -> None:
        """Keep the parts.

        Args:
            own: Reads all features.
            linear: Reads feature 0, if it is there; its outputs are added.
            by_mean: Whether changes are those from the mean of the window; if not, from its last
                value.
        """
        super().__init__()
        self.own = own
        self.linear = linear
        self.by_mean = by_mean

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[batch, length, features]`` to ``[batch, outputs]``."""
        series = x[:, :, 0]
        level = series.mean(1, keepdim=True) if self.by_mean else series[:, -1:]
        scale = series.std(1, keepdim=True, correction=0).clamp(min=_LEAST)
        changes = (series - level) / scale
        forecast: Tensor = self.own(torch.cat([changes.unsqueeze(-1), x[:, :, 1:]], -1))
        if self.linear is not None:
            forecast = forecast + self.linear(changes)
        return forecast * scale + level
