"""DrNAS (Chen et al., 2021, arXiv:2006.10355): weights of options from a Dirichlet distribution.

Differs from the paper: options are not removed in the course of training, and all channels are
mixed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from raynas.oneshot.methods.differentiable import Differentiable, Strengths
from raynas.oneshot.mixture import Routes, Weighted
from raynas.oneshot.training import SupernetTraining


@dataclass(slots=True)
class DrNAS(Differentiable):
    """Draw the weights of options in each step; learn the distribution that they come from.

    Attributes:
        distance_weight: The weight of the distance from the uniform distribution in the loss.
    """

    name: ClassVar[str] = "drnas"
    computes_all: ClassVar[bool] = True
    strength_rate: float = 6e-4
    distance_weight: float = 1e-3

    def routes(self, strengths: Strengths, training: SupernetTraining, epoch: int) -> Routes:  # noqa: ARG002
        """Draw the weights."""
        drawn = {
            path: torch.distributions.Dirichlet(_shape(one)) for path, one in strengths.items()
        }
        return {path: Weighted(one.rsample()) for path, one in drawn.items()}

    def penalty(self, training: SupernetTraining) -> Tensor:  # noqa: ARG002
        """Return the weighted distance of all distributions from the uniform one."""
        distances = [(_shape(one) - 1).norm() for one in self.strengths.values()]
        return self.distance_weight * torch.stack(distances).sum()


def _shape(strengths: Tensor) -> Tensor:
    """Return the concentrations of the Dirichlet distribution; 1 for strengths of zero."""
    return functional.elu(strengths) + 1
