"""The probability that a network can be trained, learnt from the networks that failed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from raynas.searchers.gp.kernel import Points
from raynas.searchers.gp.layout import Floats
from raynas.searchers.gp.model import Posterior

_LEAST = 1e-8  # the lowest probability


@dataclass(frozen=True, slots=True, eq=False)
class Feasibility:
    """A Gaussian process that predicts whether networks fail.

    Attributes:
        posterior: The process, fitted to networks that failed or succeeded.
        failed: The target value of the networks that failed.
        succeeded: The target value of the networks that succeeded.
    """

    posterior: Posterior
    failed: float
    succeeded: float

    def __call__(self, points: Points) -> Floats:
        """Return ``[points]``: the probability of success, 0 to 1."""
        mean = self.posterior.mean(points)
        share: Floats = (mean - self.failed) / (self.succeeded - self.failed)
        return np.clip(share, _LEAST, 1.0)


Feasible = Callable[[Points], Floats]


def always_feasible(points: Points) -> Floats:
    """Return ``[points]`` ones; for a run in which no network has failed."""
    return np.ones(len(points))
