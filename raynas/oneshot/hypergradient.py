"""The gradient of a validation loss with regard to what the weights depend on (DARTS)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

Loss = Callable[[], Tensor]
Averaged = Callable[[Sequence[Tensor]], list[Tensor]]

_STEP: Final = 0.01  # of the finite difference, over the norm of the gradient (DARTS, footnote 2)


def first_order(outer: Sequence[Tensor], valid: Loss) -> list[Tensor]:
    """Return the gradient of the validation loss for fixed weights, one tensor per ``outer``."""
    return _gradients(valid(), outer)


@dataclass(frozen=True, slots=True)
class WeightStep:
    """A step of the weights: ``w - rate * (momentum * momenta + gradient + weight_decay * w)``.

    Attributes:
        rate: The learning rate.
        momenta: The momentum of each weight; none for zero.
        momentum: Its factor.
        weight_decay: The weight decay.
    """

    rate: float
    momenta: Sequence[Tensor] | None = None
    momentum: float = 0.0
    weight_decay: float = 0.0

    @torch.no_grad()
    def take(self, weights: Sequence[Tensor], gradients: Sequence[Tensor]) -> None:
        """Change the weights."""
        decay = self.weight_decay
        change = [one.add(w, alpha=decay) for one, w in zip(gradients, weights, strict=True)]
        if self.momenta is not None:
            torch._foreach_add_(change, [*self.momenta], alpha=self.momentum)
        torch._foreach_add_([*weights], change, alpha=-self.rate)


def second_order(
    outer: Sequence[Tensor],
    weights: Sequence[Tensor],
    train: Loss,
    valid: Loss,
    step: WeightStep,
    averaged: Averaged = list,
) -> list[Tensor]:
    """Return the gradient of the validation loss after one step of the weights.

    Liu et al., 2019, arXiv:1806.09055, section 2.3. The product of the Hessian with the gradient
    after the step is a finite difference, as in the authors' code. The weights are the same
    afterwards.

    Args:
        outer: What is learnt on validation data, such as the strengths of options.
        weights: What is learnt on training data.
        train: Returns the training loss of a batch.
        valid: Returns the validation loss of a batch.
        step: The step.
        averaged: With several processes, returns the means of gradients over all of them; what
            this function returns is not averaged.
    """
    before = [weight.detach().clone() for weight in weights]
    step.take(weights, averaged(_gradients(train(), weights)))
    gradients = averaged(_gradients(valid(), [*outer, *weights]))
    direct, toward = gradients[: len(outer)], gradients[len(outer) :]
    norm = torch.stack([one.norm() for one in toward]).norm()
    size = _STEP / float(norm) if norm > 0 else 0.0
    if not size:
        _put(weights, before)
        return direct
    sides = []
    for sign in (1.0, -1.0):
        _put(weights, before)
        with torch.no_grad():
            torch._foreach_add_([*weights], toward, alpha=sign * size)
        sides.append(_gradients(train(), outer))
    _put(weights, before)
    ahead, behind = sides
    scale = step.rate / (2 * size)
    return [
        one - scale * (plus - minus)
        for one, plus, minus in zip(direct, ahead, behind, strict=True)
    ]


def _gradients(loss: Tensor, tensors: Sequence[Tensor]) -> list[Tensor]:
    """Return the gradients; zero for what the loss does not depend on."""
    if not loss.requires_grad:
        return [torch.zeros_like(tensor) for tensor in tensors]
    found = torch.autograd.grad(loss, [*tensors], allow_unused=True)
    return [
        torch.zeros_like(tensor) if gradient is None else gradient
        for tensor, gradient in zip(tensors, found, strict=True)
    ]


@torch.no_grad()
def _put(weights: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    for weight, value in zip(weights, values, strict=True):
        weight.copy_(value)
