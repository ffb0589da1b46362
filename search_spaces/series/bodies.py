"""What reads the series: linear layers, convolutions, recurrence or attention."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - as everyone writes it
from torch import Tensor, nn

from search_spaces.series.decisions import parts


class Dense(nn.Module):
    """Linear layers over all places at once."""

    def __init__(self, decided: Mapping[str, Any], entering: int, outputs: int) -> None:
        """Make the layers; ``entering`` is the length times the features."""
        super().__init__()
        width, dropout = decided["width"], nn.Dropout(decided["dropout"])
        layers: list[nn.Module] = [nn.Flatten()]
        for part in parts(decided):
            activation = nn.ReLU() if part["activation"] == "relu" else nn.Tanh()
            layers += [nn.Linear(entering, width), activation, dropout]
            entering = width
        self.layers = nn.Sequential(*layers)
        self.outputs = nn.Linear(entering, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[batch, length, features]`` to ``[batch, outputs]``."""
        outputs: Tensor = self.outputs(self.layers(x))
        return outputs


class Convolution(nn.Module):
    """Blocks of dilated causal convolutions; the last place gives the forecast."""

    def __init__(self, decided: Mapping[str, Any], features: int, outputs: int) -> None:
        """Make the blocks; each has twice the dilation of the one before."""
        super().__init__()
        width, dropout = decided["width"], decided["dropout"]
        self.entering = nn.Conv1d(features, width, 1)
        self.blocks = nn.ModuleList(
            CausalBlock(width, part["kernel"], 2**i, dropout)
            for i, part in enumerate(parts(decided))
        )
        self.outputs = nn.Linear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[batch, length, features]`` to ``[batch, outputs]``."""
        x = self.entering(x.transpose(1, 2))
        for block in self.blocks:
            x = block(x)
        outputs: Tensor = self.outputs(x[:, :, -1])
        return outputs


class CausalBlock(nn.Module):
    """Two convolutions that see no later place, and a shortcut (Bai et al., 2018, figure 1)."""

    def __init__(self, width: int, kernel: int, dilation: int, dropout: float) -> None:
        """Make the layers."""
        super().__init__()
        self.before = (kernel - 1) * dilation
        self.one, self.other = (
            nn.Conv1d(width, width, kernel, dilation=dilation) for _ in range(2)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[batch, width, length]`` to the same shape."""
        inner = x
        for conv in (self.one, self.other):
            inner = self.dropout(conv(F.pad(inner, (self.before, 0))).relu())
        return (x + inner).relu()


class Recurrence(nn.Module):
    """Recurrent layers; the last place gives the forecast."""

    def __init__(self, decided: Mapping[str, Any], features: int, outputs: int) -> None:
        """Make the layers."""
        super().__init__()
        width = decided["width"]
        self.layers = nn.ModuleDict()
        for i, part in enumerate(parts(decided)):
            make = nn.GRU if part["cell"] == "gru" else nn.LSTM
            # By name: a GRU does not inherit the weights of an LSTM.
            self.layers[f"{i}_{part['cell']}"] = make(
                width if i else features, width, batch_first=True
            )
        self.dropout = nn.Dropout(decided["dropout"])
        self.outputs = nn.Linear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[batch, length, features]`` to ``[batch, outputs]``."""
        for layer in self.layers.values():
            x = self.dropout(layer(x)[0])
        outputs: Tensor = self.outputs(x[:, -1])
        return outputs


class Attention(nn.Module):
    """Attention between patches; all patches together give the forecast."""

    def __init__(
        self, decided: Mapping[str, Any], length: int, features: int, outputs: int
    ) -> None:
        """Make the layers; a patch is at most as long as the series."""
        super().__init__()
        width, self.patch = decided["width"], min(decided["patch"], length)
        patches = -(-length // self.patch)
        self.missing = patches * self.patch - length
        self.tokens = nn.Linear(self.patch * features, width)
        self.places = nn.Parameter(0.02 * torch.randn(patches, width))
        self.layers = nn.ModuleList(
            AttentionLayer(width, decided["dropout"], part) for part in parts(decided)
        )
        self.norm = nn.LayerNorm(width)
        self.outputs = nn.Linear(patches * width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[batch, length, features]`` to ``[batch, outputs]``."""
        if self.missing:  # patches end at the last place; the first one is filled up
            x = torch.cat([x[:, :1].expand(-1, self.missing, -1), x], 1)
        x = self.tokens(x.reshape(x.shape[0], len(self.places), -1)) + self.places
        for layer in self.layers:
            x = layer(x)
        outputs: Tensor = self.outputs(self.norm(x).flatten(1))
        return outputs


class AttentionLayer(nn.Module):
    """Attention and a feed-forward part, each normalised before and added."""

    def __init__(self, width: int, dropout: float, decided: Mapping[str, Any]) -> None:
        """Make the layers."""
        super().__init__()
        self.heads = decided["heads"]
        hidden = width * decided["expansion"]
        self.norm_attention, self.norm_feed = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key, self.value, self.joined = (nn.Linear(width, width) for _ in range(4))
        self.wide, self.narrow = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[batch, patches, width]`` to the same shape."""
        x = x + self.dropout(self._attention(self.norm_attention(x)))
        fed: Tensor = x + self.dropout(self.narrow(F.gelu(self.wide(self.norm_feed(x)))))
        return fed

    def _attention(self, x: Tensor) -> Tensor:
        query, key, value = (
            layer(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        found = F.scaled_dot_product_attention(query, key, value)
        joined: Tensor = self.joined(found.transpose(1, 2).flatten(2))
        return joined
