"""The interface of a split whose batches a child is trained and scored on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from raynas.goals import Goal
from raynas.training.recipe import Recipe

Norm = tuple[Tensor, Tensor] | None
"""The mean of an input, and one over its standard deviation; none for ids."""


Batch = tuple[Any, Any]
"""Inputs and targets, each a tensor or a tree of tensors."""


class Batches(Protocol):
    """The examples of a split, which come in batches on the training device."""

    @property
    def goal(self) -> Goal:
        """What is learnt."""
        ...

    @property
    def device(self) -> torch.device:
        """The training device."""
        ...

    @property
    def repeatable(self) -> bool:
        """Whether ``training`` yields the same batches in any process."""
        ...

    def steps(self, batch_size: int) -> int:
        """Return the number of training steps of an epoch."""
        ...

    def training(self, recipe: Recipe, generator: torch.Generator) -> Iterator[tuple[Any, Any]]:
        """Yield inputs and targets of an epoch of training, in random order.

        Args:
            recipe: The training recipe, for the batch size and the augmentation.
            generator: A generator on the device; the epoch's order depends only on it.
        """
        ...

    def scoring(self) -> Iterator[tuple[Any, Any]]:
        """Yield inputs and targets of all examples, for the scores."""
        ...

    @property
    def norms(self) -> Sequence[Norm]:
        """The normalisation of each leaf of the inputs, which ``training`` and ``scoring`` do."""
        ...

    def some(self, count: int) -> tuple[Any, Any]:
        """Return inputs and targets of ``count`` examples; they repeat if there are less."""
        ...

    def raw(self, count: int) -> Any:
        """Return the inputs of ``count`` examples before normalisation, float32 or int64."""
        ...

    def check(self, recipe: Recipe) -> None:
        """Check that the recipe can be used.

        Raises:
            ConfigError: It cannot.
        """
        ...
