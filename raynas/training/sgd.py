"""Stochastic gradient descent with momentum: torch's own fused kernel, without its class.

The first optimizer object of a process loads torch's compiler, which takes about 1.5 s, and the
first trial of every worker would wait for it. The function ``sgd`` does not load it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor
from torch.optim.sgd import sgd

from raynas.errors import SpaceError
from raynas.training.inherit import Part
from raynas.training.recipe import Recipe


class SGD:
    """Makes the same steps as ``torch.optim.SGD(fused=True)``, and deletes the gradients."""

    def __init__(self, parameters: Iterable[tuple[str, Tensor]], recipe: Recipe) -> None:
        """Begin with a momentum of zero, so that the first step follows the plain gradient.

        Args:
            parameters: The parameters by name; those without gradient are left out.
            recipe: The training recipe.

        Raises:
            SpaceError: There is no parameter to train.
        """
        trained = {name: parameter for name, parameter in parameters if parameter.requires_grad}
        if not trained:
            raise SpaceError("a network must have parameters to train: it has none")
        self._recipe = recipe
        self._parameters = [*trained.values()]
        self.momentum = {name: torch.zeros_like(tensor) for name, tensor in trained.items()}

    @torch.no_grad()
    def step(self, lr: float) -> None:
        """Update every parameter that has a gradient."""
        moved = [
            (_real(parameter), _real(parameter.grad), _real(momentum))
            for parameter, momentum in zip(self._parameters, self.momentum.values(), strict=True)
            if parameter.grad is not None
        ]
        if not moved:
            return
        parameters, gradients, momenta = map(list, zip(*moved, strict=True))
        sgd(
            parameters,
            gradients,
            momenta,
            fused=True,
            lr=lr,
            momentum=self._recipe.momentum,
            weight_decay=self._recipe.weight_decay,
            nesterov=self._recipe.nesterov,
            dampening=0.0,
            maximize=False,
        )
        for parameter in self._parameters:
            parameter.grad = None

    @torch.no_grad()
    def load(self, momentum: Mapping[str, Tensor]) -> None:
        """Continue with the ``momentum`` of another training of the same architecture."""
        for name, own in self.momentum.items():
            own.copy_(momentum[name])

    @torch.no_grad()
    def inherit(self, momentum: Mapping[str, Tensor], parts: Mapping[str, Part]) -> None:
        """Copy the momentum of inherited weights; new weights keep a momentum of zero.

        Args:
            momentum: The momentum of a training of another architecture; it is not changed.
            parts: The inherited parts, by name.
        """
        for name, own in self.momentum.items():
            if name in parts and name in momentum:
                there, here = parts[name]
                own[here].copy_(momentum[name][there])


def _real(tensor: Tensor) -> Tensor:
    """Return a view of complex numbers as pairs: the fused kernel takes real numbers only."""
    return torch.view_as_real(tensor) if tensor.is_complex() else tensor
