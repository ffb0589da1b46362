"""AdamW, by torch's own fused kernel (Loshchilov & Hutter, 2019, arXiv:1711.05101, Algorithm 2).

As in torch, the weight decay is multiplied by the learning rate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor
from torch.optim.adamw import adamw

from raynas.training.inherit import Part
from raynas.training.optimizers.functional import Functional
from raynas.training.optimizers.groups import Group
from raynas.training.optimizers.optimizer import Moments, Rate


class AdamW(Functional):
    """Makes the same steps as ``torch.optim.AdamW(fused=True)``."""

    kinds: ClassVar[tuple[str, ...]] = ("first", "second", "steps")

    def _begin(self, kind: str, parameter: Tensor) -> Tensor:
        if kind == "steps":
            return torch.zeros((), device=parameter.device)
        return torch.zeros_like(parameter)

    def _update(self, group: Group, lr: Rate, *columns: list[Tensor]) -> None:
        parameters, gradients, first, second, steps = columns
        options = self.recipe.options()
        adamw(
            parameters,
            gradients,
            first,
            second,
            [],
            steps,
            fused=True,
            amsgrad=False,
            beta1=options["betas"][0],
            beta2=options["betas"][1],
            lr=lr,
            weight_decay=group.weight_decay,
            eps=options["eps"],
            maximize=False,
        )

    @torch.no_grad()
    def inherit(self, moments: Moments, parts: Mapping[str, Part]) -> None:
        """Copy the moments of inherited weights, and how many steps they have made.

        The second moment of new weights in an inherited tensor begins with the mean of the
        inherited ones: with zero, after so many steps, their first updates would be several times
        too large.
        """
        for name, own in self._moments["second"].items():
            if name in parts and name in moments.get("second", {}):
                there, _ = parts[name]
                own.fill_(moments["second"][name][there].mean())
                self._moments["steps"][name].copy_(moments["steps"][name])
        super().inherit({kind: known for kind, known in moments.items() if kind != "steps"}, parts)
