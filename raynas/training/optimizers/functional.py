"""What the optimizers that are functions of torch have in common.

The first optimizer object of torch in a process loads torch's compiler, which takes about 1.5 s,
and the first trial of every worker would wait for it. The functions behind these objects, such as
``torch.optim.sgd.sgd``, do not load it.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor

from raynas.training.inherit import Part
from raynas.training.optimizers.groups import Group
from raynas.training.optimizers.optimizer import Moments, Optimizer, Rate
from raynas.training.recipe import Recipe


class Functional(Optimizer):
    """An optimizer whose moments are tensors like the parameters.

    Nothing in ``step`` waits for the device.
    """

    kinds: ClassVar[Sequence[str]]
    """The kinds of moments, in the order in which the function takes them."""

    def __init__(self, groups: Sequence[Group], recipe: Recipe) -> None:
        """Begin with moments of zero.

        Args:
            groups: The parameters.
            recipe: The training recipe.
        """
        super().__init__(groups, recipe)
        self._moments: dict[str, dict[str, Tensor]] = {
            kind: {
                name: self._begin(kind, parameter)
                for group in groups
                for name, parameter in group.parameters.items()
            }
            for kind in self.kinds
        }
        # In every step, finding these again would cost small networks some percent.
        self._rows = [
            [
                (parameter, *(self._moments[kind][name] for kind in self.kinds))
                for name, parameter in group.parameters.items()
            ]
            for group in groups
        ]
        self._complex = any(row[0].is_complex() for rows in self._rows for row in rows)

    def _begin(self, kind: str, parameter: Tensor) -> Tensor:  # noqa: ARG002
        return torch.zeros_like(parameter)

    @property
    def moments(self) -> Moments:
        """The moments."""
        return self._moments

    @torch.no_grad()
    def step(self, lr: Rate) -> None:
        """Update every parameter that has a gradient, and delete the gradients."""
        for group, rows in zip(self.groups, self._rows, strict=True):
            moved = [(row[0], row[0].grad, *row[1:]) for row in rows if row[0].grad is not None]
            if moved:
                columns = [[*column] for column in zip(*moved, strict=True)]
                if self._complex:
                    columns = [[*map(_real, column)] for column in columns]
                self._update(group, lr * group.lr_scale, *columns)
            for row in rows:
                row[0].grad = None

    @abstractmethod
    def _update(self, group: Group, lr: Rate, *columns: list[Tensor]) -> None:
        """Update parameters of a group.

        Args:
            group: The group.
            lr: Its learning rate.
            columns: The parameters, their gradients, and their moments of each kind.
        """

    @torch.no_grad()
    def load(self, moments: Moments) -> None:
        """Continue with the moments of another training of the same architecture."""
        for kind, known in moments.items():
            for name, own in self._moments[kind].items():
                own.copy_(known[name])

    @torch.no_grad()
    def inherit(self, moments: Moments, parts: Mapping[str, Part]) -> None:
        """Copy the moments of inherited weights; new weights keep moments of zero."""
        for kind, known in moments.items():
            for name, own in self._moments[kind].items():
                if name in parts and name in known:
                    there, here = parts[name]
                    own[here].copy_(known[name][there])


def _real(tensor: Tensor) -> Tensor:
    """Return a view of complex numbers as pairs: the fused kernels take real numbers only."""
    return torch.view_as_real(tensor) if tensor.is_complex() else tensor
