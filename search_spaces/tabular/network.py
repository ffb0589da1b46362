"""The networks behind the embeddings."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - as everyone writes it
from torch import Tensor, nn

from raynas.errors import ConfigError
from raynas.space import Architecture
from search_spaces.tabular.decisions import backbone, blocks
from search_spaces.tabular.embeddings import Categories, Numbers, features


def network(
    architecture: Architecture,
    input_shape: tuple[int, ...],
    numerical: int,
    categories: tuple[int, ...],
    outputs: int,
) -> nn.Module:
    """Build what ``search_spaces.tabular.build`` describes."""
    _check(input_shape, numerical, categories, outputs)
    kind, decided = backbone(architecture)
    how = str(architecture["numbers"])
    made = features(how, architecture.under(f"numbers.{how}"), numerical)
    name = f"{how}_{made.made}"
    if kind == "linear":
        one_hot = nn.Identity() if categories else None
        columns = Columns(numerical, made if numerical else None, one_hot, name)
        entering = numerical * made.made + sum(categories)
        return _named(columns, Flat(), f"linear_{name}", nn.Linear(entering, outputs))
    width: int = decided.get("embedding", decided["width"])
    # The residual MLP reads plain numbers as they are; a token needs as many as its width.
    raw = kind == "resnet" and how == "plain"
    numbers: nn.Module | None = None
    if numerical:
        rectified = kind == "resnet"
        numbers = made if raw else Numbers(made, numerical, width, rectified=rectified)
    embedded = Categories(categories, width) if categories else None
    columns = Columns(numerical, numbers, embedded, f"{name}_{width}")
    if kind == "resnet":
        entering = numerical * (1 if raw else width) + len(categories) * width
        return _named(columns, Flat(), "resnet", ResNet(entering, outputs, decided))
    # By width: heads of a narrower network read other features.
    return _named(columns, Tokens(), f"transformer_{width}", Transformer(outputs, decided))


def _named(columns: Columns, joined: nn.Module, name: str, last: nn.Module) -> nn.Module:
    """Return the parts in a row.

    Names say what tensors mean: those of equal names can be inherited, and shared in a supernet.
    """
    return nn.Sequential(OrderedDict({"columns": columns, "joined": joined, name: last}))


def _check(
    input_shape: tuple[int, ...], numerical: int, categories: tuple[int, ...], outputs: int
) -> None:
    if len(input_shape) != 1:
        raise ConfigError(f"rows of shape (features,) are needed: {input_shape=}")
    if min(*input_shape, *categories, outputs) < 1 or numerical < 0:
        raise ConfigError(
            f"sizes must be at least 1: {input_shape=}, {numerical=}, {categories=}, {outputs=}"
        )
    if numerical + sum(categories) != input_shape[0]:
        raise ConfigError(
            "the numerical columns and the one-hot columns must be all features: "
            f"{input_shape=}, {numerical=}, {categories=}"
        )


class Columns(nn.Module):
    """Split a row into numbers and categories, and embed both."""

    def __init__(
        self,
        numerical: int,
        numbers: nn.Module | None,
        categories: nn.Module | None,
        name: str,
    ) -> None:
        """Keep the parts; one of them is none if the table has no such column.

        ``name`` is that of the numbers' layer.
        """
        super().__init__()
        self.numerical = numerical
        self.numbers = nn.ModuleDict({} if numbers is None else {name: numbers})
        self.categories = categories

    def forward(self, x: Tensor) -> list[Tensor]:
        """Map ``[batch, features]`` to tensors ``[batch, columns, width]``."""
        embedded = [numbers(x[:, : self.numerical]) for numbers in self.numbers.values()]
        if self.categories is not None:
            embedded.append(self.categories(x[:, self.numerical :]))
        return embedded


class Flat(nn.Module):
    """All embeddings side by side."""

    def forward(self, embedded: list[Tensor]) -> Tensor:
        """Map tensors ``[batch, columns, width]`` to ``[batch, features]``."""
        return torch.cat([part.flatten(1) for part in embedded], 1)


class Tokens(nn.Module):
    """All embeddings one after the other."""

    def forward(self, embedded: list[Tensor]) -> Tensor:
        """Map tensors ``[batch, columns, width]`` to ``[batch, all columns, width]``."""
        return torch.cat(embedded, 1)


class ResNet(nn.Module):
    """Residual blocks of two linear layers (Gorishniy et al., 2021, section 3.2)."""

    def __init__(self, entering: int, outputs: int, decided: Mapping[str, Any]) -> None:
        """Make the layers."""
        super().__init__()
        width = decided["width"]
        # By what enters: a wider embedding puts other numbers in the same places.
        self.first = nn.ModuleDict({str(entering): nn.Linear(entering, width)})
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.BatchNorm1d(width),
                nn.Linear(width, width * block["expansion"]),
                nn.ReLU(),
                nn.Dropout(block["dropout"]),
                nn.Linear(width * block["expansion"], width),
            )
            for block in blocks(decided)
        )
        self.norm = nn.BatchNorm1d(width)
        self.last = nn.Linear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[batch, entering]`` to ``[batch, outputs]``."""
        for first in self.first.values():
            x = first(x)
        for block in self.blocks:
            x = x + block(x)
        outputs: Tensor = self.last(self.norm(x).relu())
        return outputs


class Transformer(nn.Module):
    """Attention between columns; one more token collects the result (section 3.3)."""

    def __init__(self, outputs: int, decided: Mapping[str, Any]) -> None:
        """Make the layers."""
        super().__init__()
        width = decided["width"]
        self.collecting = nn.Parameter(torch.empty(width).uniform_(-(width**-0.5), width**-0.5))
        self.blocks = nn.ModuleList(
            Block(width, block, first=i == 0) for i, block in enumerate(blocks(decided))
        )
        self.norm = nn.LayerNorm(width)
        self.last = nn.Linear(width, outputs)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map ``[batch, columns, width]`` to ``[batch, outputs]``."""
        collecting = self.collecting.expand(tokens.shape[0], 1, -1)
        x = torch.cat([collecting, tokens], 1)
        for block in self.blocks:
            x = block(x)
        outputs: Tensor = self.last(self.norm(x[:, 0]).relu())
        return outputs


class Block(nn.Module):
    """Attention and a gated feed-forward part (ReGLU), each normalised before and added."""

    def __init__(self, width: int, decided: Mapping[str, Any], *, first: bool) -> None:
        """Make the layers; the first block does not normalise before attention, as published."""
        super().__init__()
        self.heads, self.dropout = decided["heads"], decided["dropout"]
        hidden = width * decided["expansion"]
        self.norm_attention = nn.Identity() if first else nn.LayerNorm(width)
        self.query, self.key, self.value, self.joined = (nn.Linear(width, width) for _ in range(4))
        self.norm_feed = nn.LayerNorm(width)
        self.wide, self.gate = nn.Linear(width, hidden), nn.Linear(width, hidden)
        self.narrow = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[batch, tokens, width]`` to the same shape."""
        x = x + self._attention(self.norm_attention(x))
        normal = self.norm_feed(x)
        hidden = self.wide(normal) * self.gate(normal).relu()
        hidden = F.dropout(hidden, self.dropout, self.training)
        fed: Tensor = x + self.narrow(hidden)
        return fed

    def _attention(self, x: Tensor) -> Tensor:
        query, key, value = (
            layer(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        dropout = self.dropout if self.training else 0.0
        found = F.scaled_dot_product_attention(query, key, value, dropout_p=dropout)
        joined: Tensor = self.joined(found.transpose(1, 2).flatten(2))
        return joined
