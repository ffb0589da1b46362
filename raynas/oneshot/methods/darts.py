"""DARTS (Liu et al., 2019, arXiv:1806.09055), of first and of second order.

Differs from the authors' code: the strengths are learnt on the task's validation data, not on
half of the training data; the momentum of the virtual step is plain, even if the recipe's is
Nesterov's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from raynas.errors import ConfigError
from raynas.oneshot.hypergradient import WeightStep, second_order
from raynas.oneshot.methods.differentiable import Differentiable, Strengths
from raynas.oneshot.methods.latency_aware import LatencyAware
from raynas.oneshot.mixture import Routes, Weighted
from raynas.oneshot.training import SupernetTraining
from raynas.training.batches import Batch

AUTHORS: Mapping[str, Any] = {
    "optimizer": "sgd",
    "lr": 0.025,
    "momentum": 0.9,
    "nesterov": False,
    "weight_decay": 3e-4,
    "grad_clip": 5.0,
    "batch_size": 64,
}
"""The recipe of the shared weights. With a higher rate, strengths of skips grow even more."""


@dataclass(slots=True)
class DARTS(LatencyAware):
    """Mix all options by the softmax of their strengths.

    Attributes:
        order: 1 to take the weights as fixed when strengths are learnt; 2 to look one step ahead,
            which costs about three times as much.
    """

    name: ClassVar[str] = "darts"
    computes_all: ClassVar[bool] = True
    recipe: ClassVar[Mapping[str, Any]] = AUTHORS
    order: int = 1

    def __post_init__(self) -> None:
        """Check the options."""
        LatencyAware.__post_init__(self)
        if self.order not in {1, 2}:
            raise ConfigError(f"the order of darts must be 1 or 2, got {self.order}")

    def routes(self, strengths: Strengths, training: SupernetTraining, epoch: int) -> Routes:  # noqa: ARG002
        """Return the weighted sums."""
        return {path: Weighted(one.softmax(0)) for path, one in strengths.items()}

    def gradients(
        self, training: SupernetTraining, epoch: int, train: Batch, valid: Batch, lr: float
    ) -> Sequence[Tensor]:
        """Return the gradients of the strengths, for fixed weights or after a step of them."""
        if self.order == 1:
            return Differentiable.gradients(self, training, epoch, train, valid, lr)

        def loss(batch: Batch) -> Tensor:
            training.mixed.mix(self.routes(self.strengths, training, epoch))
            return training.loss(batch)

        return second_order(
            [*self.strengths.values()],
            training.weights,
            lambda: loss(train),
            lambda: loss(valid) + self.penalty(training),
            WeightStep(
                lr, training.momenta, training.recipe.momentum, training.recipe.weight_decay
            ),
            training.averaged,
        )
