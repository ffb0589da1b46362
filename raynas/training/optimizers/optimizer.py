"""The interface of an optimizer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from raynas.training.inherit import Part
from raynas.training.optimizers.groups import Group
from raynas.training.recipe import Recipe

Rate = float | Tensor
"""A learning rate; a tensor has one number and is on the device of the parameters."""
Moments = Mapping[str, Mapping[str, Any]]
"""What an optimizer keeps, by kind (such as ``momentum``) and by the parameter's name."""


class Optimizer(ABC):
    """Changes the parameters of a child by their gradients.

    Attributes:
        groups: The parameters.
        recipe: The training recipe.
    """

    def __init__(self, groups: Sequence[Group], recipe: Recipe) -> None:
        """Keep the parameters.

        Args:
            groups: The parameters.
            recipe: The training recipe.
        """
        self.groups = groups
        self.recipe = recipe

    @abstractmethod
    def step(self, lr: Rate) -> None:
        """Update every parameter that has a gradient, and delete the gradients.

        Args:
            lr: The learning rate of the step.
        """

    @property
    @abstractmethod
    def moments(self) -> Moments:
        """What it keeps; the next step changes it."""

    @abstractmethod
    def load(self, moments: Moments) -> None:
        """Continue with the moments of another training of the same architecture.

        Args:
            moments: They are not changed. Kinds that are missing stay as they are.
        """

    @abstractmethod
    def inherit(self, moments: Moments, parts: Mapping[str, Part]) -> None:
        """Continue with the moments of inherited weights.

        Args:
            moments: Those of a training of another architecture; they are not changed.
            parts: The inherited parts, by name.
        """
