"""The probability that a network can be trained and keeps the constraints.

What is known before training makes a network fail, so it is learnt from failures; a constraint on
what training shows is learnt from its metric (Gardner et al., 2014, ICML, section 3).
"""

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


@dataclass(frozen=True, slots=True, eq=False)
class Keeping:
    """A Gaussian process that predicts whether networks keep a constraint.

    Attributes:
        posterior: The process, fitted to the metric of the constraint.
        least: The target value at the limit; higher values keep it.
    """

    posterior: Posterior
    least: float

    def __call__(self, points: Points) -> Floats:
        """Return ``[points]``: the probability to keep it, 0 to 1."""
        from scipy.special import ndtr  # noqa: PLC0415 - slow to load, only some need it

        found = self.posterior.predict(points)
        share: Floats = ndtr((found.mean - self.least) / np.sqrt(found.variance))
        return np.clip(share, _LEAST, 1.0)


@dataclass(frozen=True, slots=True)
class Every:
    """The probability that several hold, as if they were independent.

    Attributes:
        parts: Return the probability of each.
    """

    parts: tuple[Feasible, ...]

    def __call__(self, points: Points) -> Floats:
        """Return ``[points]``: the product of the probabilities."""
        share: Floats = np.prod([part(points) for part in self.parts], axis=0)
        return share


Feasible = Callable[[Points], Floats]


def always_feasible(points: Points) -> Floats:
    """Return ``[points]`` ones; for a run in which no network is infeasible."""
    return np.ones(len(points))
