"""Any optimizer of ``torch.optim``, by the name of its class."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from raynas.errors import ConfigError
from raynas.training.inherit import Part
from raynas.training.optimizers.groups import Group
from raynas.training.optimizers.optimizer import Moments, Optimizer, Rate
from raynas.training.recipe import Recipe


class ByName(Optimizer):
    """An object of a class of ``torch.optim``; it loads torch's compiler, once per process."""

    def __init__(self, groups: Sequence[Group], recipe: Recipe) -> None:
        """Make the object.

        Args:
            groups: The parameters.
            recipe: The training recipe.

        Raises:
            ConfigError: torch has no such class, or refuses its options.
        """
        super().__init__(groups, recipe)
        self._names = [name for group in groups for name in group.parameters]
        self._torch = _made(groups, recipe)

    def step(self, lr: Rate) -> None:
        """Update every parameter that has a gradient, and delete the gradients."""
        for given, group in zip(self._torch.param_groups, self.groups, strict=True):
            given["lr"] = lr * group.lr_scale
        self._torch.step()
        self._torch.zero_grad(set_to_none=True)

    @property
    def moments(self) -> Moments:
        """What torch keeps; nothing before the first step."""
        found: dict[str, dict[str, Any]] = {}
        for at, kept in self._torch.state_dict()["state"].items():
            for kind, value in kept.items():
                found.setdefault(kind, {})[self._names[at]] = value
        return found

    def load(self, moments: Moments) -> None:
        """Continue with the moments of another training of the same architecture."""
        self._take(moments, {*self._names})

    def inherit(self, moments: Moments, parts: Mapping[str, Part]) -> None:
        """Copy the moments of parameters that are inherited whole.

        Others begin anew: what a moment of zero means for a part of a tensor differs from class
        to class.
        """
        whole = {
            name
            for group in self.groups
            for name, parameter in group.parameters.items()
            if name in parts and _fits(moments, name, parameter)
        }
        self._take(moments, whole)

    def _take(self, moments: Moments, names: set[str]) -> None:
        kept: dict[int, dict[str, Any]] = {}
        for kind, known in moments.items():
            for at, name in enumerate(self._names):
                if name in names and name in known:
                    value = known[name]
                    own = value.clone() if isinstance(value, Tensor) else value
                    kept.setdefault(at, {})[kind] = own
        groups = self._torch.state_dict()["param_groups"]  # the hyper-parameters stay
        self._torch.load_state_dict({"state": kept, "param_groups": groups})


def _fits(moments: Moments, name: str, parameter: Tensor) -> bool:
    """Return whether all moments of a parameter are single numbers or have its shape."""
    values = (known[name] for known in moments.values() if name in known)
    shapes = [value.shape for value in values if isinstance(value, Tensor)]
    return all(not shape or shape == parameter.shape for shape in shapes)


def _made(groups: Sequence[Group], recipe: Recipe) -> torch.optim.Optimizer:
    kind: Any = getattr(torch.optim, recipe.optimizer, None)
    if kind is None:
        raise ConfigError(
            f"the optimizer {recipe.optimizer} needs a newer torch than {torch.__version__}"
        )
    decays = "weight_decay" in inspect.signature(kind).parameters
    if recipe.weight_decay and not decays:
        raise ConfigError(
            f"the optimizer {recipe.optimizer} has no weight decay: set weight_decay to 0, not to "
            f"{recipe.weight_decay}"
        )
    # On a GPU nothing of a step may wait for the device.
    on_gpu = any(one.is_cuda for group in groups for one in group.parameters.values())
    capturable = on_gpu and "capturable" in inspect.signature(kind).parameters
    options = {"capturable": True} if capturable else {}
    given = [
        {
            "params": [*group.parameters.values()],
            **({"weight_decay": group.weight_decay} if decays else {}),
        }
        for group in groups
    ]
    try:
        made: torch.optim.Optimizer = kind(
            given, lr=recipe.lr, **{**options, **recipe.optimizer_options}
        )
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"torch refuses optimizer_options of {recipe.optimizer}: {error}"
        ) from error
    return made
