"""Lion (Chen et al., 2023, arXiv:2302.06675, Algorithm 2)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from raynas.training.optimizers.functional import Functional
from raynas.training.optimizers.groups import Group
from raynas.training.optimizers.optimizer import Rate


class Lion(Functional):
    """Every weight moves by the learning rate, in the direction of the sign of its momentum."""

    kinds: ClassVar[tuple[str, ...]] = ("momentum",)

    def _update(self, group: Group, lr: Rate, *columns: list[Tensor]) -> None:
        parameters, gradients, momenta = columns
        slow, kept = self.recipe.options()["betas"]
        updates = [*torch._foreach_lerp(gradients, momenta, slow)]  # noqa: SLF001 - fused
        torch._foreach_sign_(updates)
        torch._foreach_mul_(updates, lr)
        torch._foreach_mul_(parameters, 1 - lr * group.weight_decay)
        torch._foreach_sub_(parameters, updates)
        torch._foreach_lerp_(momenta, gradients, 1 - kept)
