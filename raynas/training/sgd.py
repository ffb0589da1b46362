"""Stochastic gradient descent with momentum: torch's own fused kernel, without its class.

The first optimizer object a process makes loads torch's compiler, about 1.5 s of a worker's start,
and the first trial of every worker would wait for it. The function loads nothing.
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
    """Takes the steps ``torch.optim.SGD(fused=True)`` takes, and forgets the gradients."""

    def __init__(self, parameters: Iterable[tuple[str, Tensor]], recipe: Recipe) -> None:
        """Begin at rest: a momentum of zero makes the first step the plain gradient's.

        Args:
            parameters: What is trained, by name; what needs no gradient is left out.
            recipe: How.

        Raises:
            SpaceError: There is nothing to train.
        """
        trained = {name: parameter for name, parameter in parameters if parameter.requires_grad}
        if not trained:
            raise SpaceError("a network must have parameters to train: it has none")
        self._recipe = recipe
        self._parameters = [*trained.values()]
        self.momentum = {name: torch.zeros_like(tensor) for name, tensor in trained.items()}

    @torch.no_grad()
    def step(self, lr: float) -> None:
        """Move every parameter that has a gradient."""
        moved = [
            (parameter, parameter.grad, momentum)
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
        for parameter in parameters:
            parameter.grad = None

    @torch.no_grad()
    def load(self, momentum: Mapping[str, Tensor]) -> None:
        """Continue with the ``momentum`` of another in training of the same architecture."""
        for name, own in self.momentum.items():
            own.copy_(momentum[name])

    @torch.no_grad()
    def inherit(self, momentum: Mapping[str, Tensor], parts: Mapping[str, Part]) -> None:
        """Take over the momentum of weights that were inherited; what is new is at rest.

        Args:
            momentum: That of a training of another architecture; left as it is.
            parts: What weights were, by name.
        """
        for name, own in self.momentum.items():
            if name in parts and name in momentum:
                there, here = parts[name]
                own[here].copy_(momentum[name][there])
