"""Asynchronous successive halving for several objectives.

Schmucker et al., 2021, arXiv:2106.12639, in the variant with an epsilon-net: at a rung trials are
sorted by non-dominated front, and within a front so that each next one is the farthest from those
before it.

Differs from the paper: the stopping variant, with one bracket; distances are taken over the range
of each objective at the rung, so that no unit outweighs another.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from raynas import pareto
from raynas.schedulers.rungs import Rungs
from raynas.schedulers.verdict import Verdict
from raynas.trial import History, Report


@dataclass(frozen=True, slots=True)
class MOASHA:
    """Let the best 1/eta of each rung go on, by fronts and an epsilon-net within the last.

    With one objective it is ``asha``.

    Attributes:
        grace_epochs: The first rung, in epochs; nothing is stopped before it.
        eta: Factor between rungs; one in ``eta`` goes on.

    Raises:
        ConfigError: ``grace_epochs`` is below one, or ``eta`` below two.
    """

    grace_epochs: int = 1
    eta: int = 3

    def __post_init__(self) -> None:
        """Check the options."""
        Rungs(self.grace_epochs, self.eta).check("moasha")

    def check(self, epochs: int) -> None:
        """Refuse runs that would end before the first rung."""
        Rungs(self.grace_epochs, self.eta).check("moasha", epochs)

    def decide(self, report: Report, history: History) -> Verdict:
        """Stop a trial that is not among the best 1/eta of those at its rung."""
        rungs = Rungs(self.grace_epochs, self.eta)
        if report.epoch not in rungs.below(history.trials[report.number].started.epochs):
            return Verdict.GO
        reached = history.at(report.epoch)
        place = (
            order(np.array([*reached.values()])).tolist().index([*reached].index(report.number))
        )
        return Verdict.GO if place * self.eta < len(reached) else Verdict.STOP


def order(losses: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the rows, best first: by front, then as an epsilon-net spreads over the front.

    A net begins with the least first objective.

    Args:
        losses: ``[n, objectives]``, to be minimised.
    """
    front = pareto.fronts(pareto.dominance(losses))
    low, high = losses.min(axis=0), losses.max(axis=0)
    scaled = (losses - low) / np.where(high > low, high - low, 1.0)
    nets = [_net(scaled, np.flatnonzero(front == number)) for number in range(front.max() + 1)]
    return np.concatenate(nets)


def _net(points: NDArray[np.float64], members: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the members so that each next one is the farthest from all before it."""
    own = points[members]
    net = [int(np.lexsort(own.T[::-1])[0])]
    nearest = np.linalg.norm(own - own[net[0]], axis=1)
    while len(net) < len(members):
        nearest[net] = -1.0
        net.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, np.linalg.norm(own - own[net[-1]], axis=1))
    return members[net]
