"""GDAS (Dong & Yang, 2019, arXiv:1910.04465): one option per decision, drawn by Gumbel's trick."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from raynas.errors import ConfigError
from raynas.oneshot.methods.differentiable import Differentiable, Strengths
from raynas.oneshot.mixture import Routes
from raynas.oneshot.training import SupernetTraining


@dataclass(frozen=True, slots=True)
class Drawn:
    """The drawn option, weighted by one; gradients go to the weights of all options.

    As in the authors' code, the other options count with their weight, which is zero, times one.

    Attributes:
        weights: ``[options]``: one for the drawn option and zero for the others.
        at: The place of the drawn option.
    """

    weights: Tensor
    at: int

    def __call__(self, options: Sequence[nn.Module], *inputs: Any) -> Tensor:
        """Return the output of the drawn option."""
        own = self.weights[self.at]
        output: Tensor = options[self.at](*inputs) * own + (self.weights.sum() - own)
        return output


@dataclass(slots=True)
class GDAS(Differentiable):
    """Draw one option per decision in each step; only it is computed.

    Attributes:
        first_temperature: The temperature of the softmax in the first epoch.
        last_temperature: That of the last epoch; between them it falls linearly.
    """

    name: ClassVar[str] = "gdas"
    first_temperature: float = 10.0
    last_temperature: float = 0.1

    def __post_init__(self) -> None:
        """Check the options."""
        Differentiable.__post_init__(self)
        if not 0 < self.last_temperature <= self.first_temperature:
            raise ConfigError(
                "gdas needs 0 < last_temperature <= first_temperature, got "
                f"{self.last_temperature} and {self.first_temperature}"
            )

    def routes(self, strengths: Strengths, training: SupernetTraining, epoch: int) -> Routes:
        """Draw an option of each decision."""
        fall = epoch / max(1, training.epochs - 1)
        span = self.first_temperature - self.last_temperature
        temperature = self.first_temperature - span * fall
        return {path: drawn(one, temperature) for path, one in strengths.items()}


def drawn(strengths: Tensor, temperature: float) -> Drawn:
    """Draw an option with the probabilities of the softmax of ``[options]`` strengths.

    The weights are one-hot; their gradient is that of the softmax with Gumbel noise.
    """
    noise = -torch.empty_like(strengths).exponential_().log()
    soft = ((strengths.log_softmax(0) + noise) / temperature).softmax(0)
    at = int(soft.detach().argmax())
    hard = torch.zeros_like(soft)
    hard[at] = 1.0
    return Drawn(hard - soft.detach() + soft, at)
