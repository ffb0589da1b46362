"""The decoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import torch
import torch.nn.functional as F  # noqa: N812 - as everyone writes it
from torch import Tensor, nn

from raynas.errors import ConfigError
from raynas.space import Architecture

_BASE: Final = 10_000.0  # of the rotary wavelengths, as published
_SPREAD: Final = 0.02  # the standard deviation of the first weights


def network(architecture: Architecture, vocabulary: int, length: int) -> nn.Module:
    """Build what ``search_spaces.decoder.build`` describes."""
    if min(vocabulary, length) < 1:
        raise ConfigError(f"sizes must be at least 1: {vocabulary=}, {length=}")
    return Decoder(architecture, vocabulary, length)


class Decoder(nn.Module):
    """Embedding, layers, and logits for the next id."""

    def __init__(self, decided: Mapping[str, Any], vocabulary: int, length: int) -> None:
        """Make the layers and draw the first weights."""
        super().__init__()
        width, depth = decided["width"], decided["depth"]
        self.tokens = nn.Embedding(vocabulary, width)
        learned = decided["position"] == "learned"
        self.positions = nn.Embedding(length, width) if learned else None
        self.dropout = nn.Dropout(decided["dropout"])
        self.layers = nn.ModuleList(Layer(decided, length) for _ in range(depth))
        # Layers that normalise their result leave nothing to normalise behind them.
        self.norm = norm(decided) if decided["norm.place"] == "pre" else nn.Identity()
        self.logits = nn.Linear(width, vocabulary, bias=False)
        for name, parameter in self.named_parameters():
            if name.endswith(("attention.joined.weight", "narrow.weight")):
                nn.init.normal_(parameter, std=_SPREAD * (2 * depth) ** -0.5)
            elif parameter.ndim > 1:
                nn.init.normal_(parameter, std=_SPREAD)
        if decided["tied"]:
            self.logits.weight = self.tokens.weight

    def forward(self, ids: Tensor) -> Tensor:
        """Map ids ``[batch, length]`` to logits ``[batch, length, vocabulary]``."""
        x = self.tokens(ids)
        if self.positions is not None:
            x = x + self.positions.weight[: ids.shape[1]]
        x = self.dropout(x)
        for layer in self.layers:
            x = layer(x)
        logits: Tensor = self.logits(self.norm(x))
        return logits


class Layer(nn.Module):
    """Attention, then a feed-forward part; each is added to its input."""

    def __init__(self, decided: Mapping[str, Any], length: int) -> None:
        """Make the parts."""
        super().__init__()
        self.before = decided["norm.place"] == "pre"
        self.attention = Attention(decided, length)
        self.feed = FeedForward(decided)
        self.norm_attention, self.norm_feed = norm(decided), norm(decided)
        self.dropout = nn.Dropout(decided["dropout"])

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[batch, length, width]`` to the same shape."""
        for part, normalise in (
            (self.attention, self.norm_attention),
            (self.feed, self.norm_feed),
        ):
            if self.before:
                x = x + self.dropout(part(normalise(x)))
            else:
                x = normalise(x + self.dropout(part(x)))
        return x


class Attention(nn.Module):
    """Causal attention of several heads."""

    def __init__(self, decided: Mapping[str, Any], length: int) -> None:
        """Make the layers."""
        super().__init__()
        width, self.heads, self.dropout = decided["width"], decided["heads"], decided["dropout"]
        self.query, self.key, self.value, self.joined = (nn.Linear(width, width) for _ in range(4))
        rotary = decided["position"] == "rotary"
        self.rotary = Rotary(width // self.heads, length) if rotary else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[batch, length, width]`` to the same shape."""
        query, key, value = (
            layer(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        dropout = self.dropout if self.training else 0.0
        found = F.scaled_dot_product_attention(
            self.rotary(query), self.rotary(key), value, dropout_p=dropout, is_causal=True
        )
        joined: Tensor = self.joined(found.transpose(1, 2).flatten(2))
        return joined


class Rotary(nn.Module):
    """Turn pairs of numbers by angles that grow with the place (Su et al., 2021, equation 34).

    Differs: a pair is a number of the first half and one of the second half, as in most code.

    Attributes:
        cos: ``[length, features]``.
        sin: ``[length, features]``.
    """

    cos: Tensor
    sin: Tensor

    def __init__(self, features: int, length: int) -> None:
        """Compute the angles; ``features`` must be even."""
        super().__init__()
        speeds = _BASE ** -(torch.arange(0, features, 2) / features)
        angles = torch.outer(torch.arange(length).float(), speeds).repeat(1, 2)
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[batch, heads, length, features]`` to the same shape."""
        one, other = x.chunk(2, -1)
        length = x.shape[2]
        return x * self.cos[:length] + torch.cat([-other, one], -1) * self.sin[:length]


class FeedForward(nn.Module):
    """Widen, activate, narrow; SwiGLU has a third layer and two thirds of the hidden units."""

    def __init__(self, decided: Mapping[str, Any]) -> None:
        """Make the layers."""
        super().__init__()
        width, self.activation = decided["width"], decided["feed_forward.activation"]
        hidden = width * decided["feed_forward.ratio"]
        gated = self.activation == "swiglu"
        if gated:
            hidden = 2 * hidden // 3
        self.wide = nn.Linear(width, hidden)
        self.gate = nn.Linear(width, hidden) if gated else None
        self.narrow = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[batch, length, width]`` to the same shape."""
        hidden: Tensor = self.wide(x)
        if self.gate is not None:
            hidden = hidden * F.silu(self.gate(x))
        elif self.activation == "gelu":
            hidden = F.gelu(hidden)
        else:
            hidden = hidden.relu().square()
        narrow: Tensor = self.narrow(hidden)
        return narrow


def norm(decided: Mapping[str, Any]) -> nn.Module:
    """Return a new normalisation of the decided kind."""
    make = nn.LayerNorm if decided["norm.kind"] == "layer" else nn.RMSNorm
    return make(decided["width"])
