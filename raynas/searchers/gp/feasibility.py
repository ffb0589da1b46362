"""How likely a network can be trained at all, learnt from those that failed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from raynas.searchers.gp.kernel import Points
from raynas.searchers.gp.layout import Floats
from raynas.searchers.gp.model import Posterior

_LEAST = 1e-8  # a chance that is left to everything


@dataclass(frozen=True, slots=True, eq=False)
class Feasibility:
    """A process over what became of networks.

    Attributes:
        posterior: What is expected of others.
        failed: What it was told of those that failed.
        succeeded: What it was told of those that did not.
    """

    posterior: Posterior
    failed: float
    succeeded: float

    def __call__(self, points: Points) -> Floats:
        """Return ``[points]`` chances from 0 to 1."""
        mean = self.posterior.mean(points)
        share: Floats = (mean - self.failed) / (self.succeeded - self.failed)
        return np.clip(share, _LEAST, 1.0)


Feasible = Callable[[Points], Floats]


def always_feasible(points: Points) -> Floats:
    """Return ``[points]`` ones: nothing has failed yet."""
    return np.ones(len(points))
