"""The layer of a supernet: its operation, what it reads and what is added are mixtures."""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import Tensor, nn

from raynas.oneshot.choose import Make, Undecided, choose
from raynas.oneshot.mixture import Zero
from search_spaces.textnas.layers import OPERATIONS, REACH
from search_spaces.textnas.operations import operation


class MixedLayer(nn.Module):
    """Like ``Layer``, with all options; modules have the same names."""

    def __init__(self, architecture: Undecided, number: int, width: int, dropout: float) -> None:
        """Make the options.

        Args:
            architecture: The open decisions.
            number: The place of the layer, from 0.
            width: The channels.
            dropout: As in the network.
        """
        super().__init__()
        path = f"layer_{number}"
        named = {name: partial(_named, name, width, dropout) for name in OPERATIONS}
        self.operation = choose(architecture, f"{path}.operation", named)
        self.read: nn.Module = _Input(-1)  # the first two layers have only one to read
        if number > 1:
            inputs = {back: partial(_Input, -back) for back in range(1, REACH + 1)}
            self.read = choose(architecture, f"{path}.back", inputs)
        added: dict[bool, Make] = {False: Zero, True: partial(_Input, 0)}
        self.skips = nn.ModuleList(
            choose(architecture, f"{path}.skip_{j}", added) for j in range(number)
        )
        self.norm: nn.Module = _Input(0)
        if number:
            sums: dict[bool, Make] = {False: partial(_Input, 0), True: partial(_Normalised, width)}
            self.norm = choose(architecture, f"{path}.skips", sums)

    def forward(self, start: Tensor, values: list[Tensor], mask: Tensor) -> Tensor:
        """Return this layer's ``[batch, width, length]``; see ``Layer``."""
        own = self.operation(self.read(*(values or [start])), mask)
        total = own
        for skip, value in zip(self.skips, values, strict=True):
            total = total + skip(value)
        mixed: Tensor = self.norm(own, total, mask)
        return mixed


class _Input(nn.Module):
    """One of several inputs."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at

    def forward(self, *inputs: Tensor) -> Tensor:
        return inputs[self.at]


class _Named(nn.ModuleDict):
    """An operation under its name, as in ``Layer``."""

    def forward(self, *inputs: Any) -> Tensor:
        (own,) = self.values()
        value: Tensor = own(*inputs)
        return value


class _Normalised(nn.BatchNorm1d):
    """The normalised sum, the second input; zero at padding."""

    def forward(self, *inputs: Tensor) -> Tensor:
        _, total, mask = inputs
        return super().forward(total) * mask


def _named(name: str, width: int, dropout: float) -> nn.Module:
    return _Named({name: operation(name, width, dropout)})
