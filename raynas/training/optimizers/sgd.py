"""Stochastic gradient descent with momentum, by torch's own fused kernel."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor
from torch.optim.sgd import sgd

from raynas.training.optimizers.functional import Functional
from raynas.training.optimizers.groups import Group
from raynas.training.optimizers.optimizer import Rate


class SGD(Functional):
    """Makes the same steps as ``torch.optim.SGD(fused=True)``."""

    kinds: ClassVar[tuple[str, ...]] = ("momentum",)

    def _update(self, group: Group, lr: Rate, *columns: list[Tensor]) -> None:
        parameters, gradients, momenta = columns
        sgd(
            parameters,
            gradients,
            [*momenta],
            fused=True,
            lr=lr,
            momentum=self.recipe.momentum,
            weight_decay=group.weight_decay,
            nesterov=self.recipe.nesterov,
            dampening=0.0,
            maximize=False,
        )
