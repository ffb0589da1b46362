"""Optimizers: gradient descent with momentum, AdamW, Lion, and the classes of ``torch.optim``."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from torch import nn

from raynas.training.optimizers.adamw import AdamW
from raynas.training.optimizers.by_name import ByName
from raynas.training.optimizers.groups import groups_of
from raynas.training.optimizers.lion import Lion
from raynas.training.optimizers.optimizer import Moments, Optimizer
from raynas.training.optimizers.sgd import SGD
from raynas.training.recipe import Recipe

__all__ = [
    "OPTIMIZERS",
    "Moments",
    "Optimizer",
    "moments_in",
    "optimizer_of",
]

OPTIMIZERS: Final[Mapping[str, type[Optimizer]]] = MappingProxyType(
    {"sgd": SGD, "adamw": AdamW, "lion": Lion}
)


def optimizer_of(child: nn.Module, recipe: Recipe) -> Optimizer:
    """Return the optimizer of a recipe for the parameters of a child.

    Raises:
        SpaceError: There is no parameter to train, or the child's ``parameter_groups`` cannot be
            used.
        ConfigError: torch refuses the options of the optimizer.
    """
    return OPTIMIZERS.get(recipe.optimizer, ByName)(groups_of(child, recipe), recipe)


def moments_in(state: Mapping[str, Any], recipe: Recipe) -> Moments:
    """Return the moments in the state of a training; none if another optimizer made them.

    Old checkpoints have the momentum of ``sgd`` only.
    """
    old = {"name": "sgd", "moments": {"momentum": state.get("momentum", {})}}
    saved = state.get("optimizer", old)
    moments: Moments = saved["moments"] if saved["name"] == recipe.optimizer else {}
    return moments
