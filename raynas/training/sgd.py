"""Stochastic gradient descent with momentum: torch's own fused kernel, without its class.

The first optimizer object a process makes loads torch's compiler, about 1.5 s of a worker's start,
and the first trial of every worker would wait for it. The function loads nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor
from torch.optim.sgd import sgd

from raynas.errors import SpaceError
from raynas.training.recipe import Recipe


class SGD:
    """Takes the steps ``torch.optim.SGD(fused=True)`` takes, and forgets the gradients."""

    def __init__(self, parameters: Iterable[Tensor], recipe: Recipe) -> None:
        """Begin at rest: a momentum of zero makes the first step the plain gradient's.

        Raises:
            SpaceError: There is nothing to train.
        """
        self._parameters = [parameter for parameter in parameters if parameter.requires_grad]
        if not self._parameters:
            raise SpaceError("a child must have parameters to train: it has none")
        self._recipe = recipe
        self.momentum = [torch.zeros_like(parameter) for parameter in self._parameters]

    @torch.no_grad()
    def step(self, lr: float) -> None:
        """Move every parameter that has a gradient."""
        moved = [
            (parameter, parameter.grad, momentum)
            for parameter, momentum in zip(self._parameters, self.momentum, strict=True)
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
    def load(self, momentum: Sequence[Tensor]) -> None:
        """Continue with another's ``momentum``, in the order of the parameters."""
        for own, given in zip(self.momentum, momentum, strict=True):
            own.copy_(given)
