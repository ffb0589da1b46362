"""Expected hypervolume improvement for several objectives, with one Gaussian process for each.

The hypervolume that a front dominates is, up to a factor, a mean over random directions: for each
direction, how far the best point of the front reaches (Golovin & Zhang, 2020, arXiv:2006.04655).
So the expected improvement by an untried network is the mean, over directions and draws from the
processes, of how much farther the network reaches than the front.

Differs from the paper: networks are compared by the expectation over many directions, not by one
random direction at a time; the front and the volume are computed from the processes' means, on
their scale (see ``gp.model``); the reference point is below the worst known mean, so that the
ends of the front count; a network is trained once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from typing import Final

import numpy as np
from numpy.typing import NDArray

from raynas import pareto
from raynas.errors import ConfigError
from raynas.searchers.blas import on_one_thread
from raynas.searchers.gp.acquisition import best_of
from raynas.searchers.gp.candidates import anywhere, around
from raynas.searchers.gp.climb import climb
from raynas.searchers.gp.handover import handed_over_front
from raynas.searchers.gp.layout import Floats
from raynas.searchers.gp.rows import Features, Rows
from raynas.searchers.gp.surrogate import FittedSurrogate, Surrogate
from raynas.searchers.mutants import anything
from raynas.searchers.recommendation import Recommendation
from raynas.searchers.selection import check_mutable
from raynas.space import Space
from raynas.trial import History, Proposal, Trial

_PARENTS: Final = 8
_DRAWS: Final = 128  # directions, each with a draw from the processes
_BELOW: Final = 1.0  # standard deviations of an objective between the worst and the corner
_DIGITS: Final = 9  # of means; coarser than what the number of BLAS threads changes


@dataclass(frozen=True, slots=True)
class EHVI:
    """Train the network with the largest expected improvement of the dominated hypervolume.

    Attributes:
        space: The search space.
        random_first: How many trials must finish before the processes are used.
        features: Computes numbers about an untrained architecture.
        pool: How many random architectures a feature is compared with, to scale it.

    Raises:
        SpaceError: The space holds a single architecture.
        ConfigError: An option is below one.
    """

    space: Space
    random_first: int = 5
    features: Features | None = None
    pool: int = 1000
    _rows: Rows = field(init=False, repr=False, compare=False)
    _surrogates: dict[int, Surrogate] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        """Check the options and that there is something to choose from."""
        if min(self.random_first, self.pool) < 1:
            raise ConfigError(
                f"ehvi needs random_first and pool >= 1, got {self.random_first} and {self.pool}"
            )
        check_mutable(self.space, "ehvi")
        object.__setattr__(self, "_rows", Rows(self.space, self.features, self.pool))

    @on_one_thread
    def propose(self, history: History, rng: np.random.Generator) -> Proposal | None:
        """Sample at first, then propose the network with the largest expected improvement."""
        if not self._informed(history):
            return anything(self.space, history, rng)
        fitted = self._fitted(history)
        front = Front.of(fitted, rng)
        trained = {
            number: trial
            for one in fitted
            for number, trial in zip(one.known.network.tolist(), one.trials, strict=True)
        }
        parents = [
            trained[number] for number in rng.permutation(front.members)[:_PARENTS].tolist()
        ]
        near = around(self.space, history, parents, rng)
        fresh = [*near, *anywhere(self.space, history, rng)]
        if not fresh:
            return anything(self.space, history, rng)
        fresh, values = climb(self.space, history, fresh, front.value, rng)
        return fresh[best_of(values)]

    @on_one_thread
    def recommendation(self, history: History) -> Recommendation | None:
        """Return the front that is expected on new data; at first, the best measured trial."""
        if not self._informed(history):
            return Recommendation(history.best) if history.best else None
        return handed_over_front(history, self._fitted(history))

    def recommend(self, history: History) -> Trial | None:
        """Return the trial of ``recommendation``, the best by the first objective."""
        chosen = self.recommendation(history)
        return chosen.trial if chosen else None

    def _informed(self, history: History) -> bool:
        return sum(trial.trained for trial in history.finished) >= self.random_first

    def _fitted(self, history: History) -> list[FittedSurrogate]:
        """Return a surrogate fitted to each objective."""
        full = max(trial.started.epochs for trial in history.trials.values())
        return [
            self._surrogates.setdefault(at, Surrogate(self._rows, at)).fit(history, full)
            for at in range(len(history.objectives))
        ]


@dataclass(frozen=True, slots=True, eq=False)
class Front:
    """The expected Pareto front, and how far it reaches.

    Attributes:
        fitted: The fitted surrogates, one per objective.
        members: The kernel's numbers of the networks on the front.
        corner: ``[objectives]`` the reference point of the volume.
        directions: ``[draws, objectives]`` of length one, none negative.
        normal: ``[draws, objectives]`` normal variables.
        reached: ``[draws]`` how far the front reaches in each direction.
    """

    fitted: Sequence[FittedSurrogate]
    members: NDArray[np.intp]
    corner: Floats
    directions: Floats
    normal: Floats
    reached: Floats

    @classmethod
    def of(cls, fitted: Sequence[FittedSurrogate], rng: np.random.Generator) -> Front:
        """Draw the directions, and compute how far the known networks reach."""
        known = reduce(add, (one.known for one in fitted))
        known = known.take(np.unique(known.network, return_index=True)[1])
        means = np.stack([one.posterior.mean(known) for one in fitted], axis=1).round(_DIGITS)
        members = np.flatnonzero(~pareto.dominance(-means).any(axis=0))
        corner = means.min(0) - _BELOW
        shape = _DRAWS, len(fitted)
        directions = np.abs(rng.standard_normal(shape)) + 1e-12
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        reached = _reach(means[members, None] - corner, directions).max(0)
        return cls(
            fitted, known.network[members], corner, directions, rng.standard_normal(shape), reached
        )

    def value(self, fresh: Sequence[Proposal]) -> Floats:
        """Return ``[fresh]`` the expected improvement by each untried network."""
        first = self.fitted[0]
        points = first.untried([one.architecture for one in fresh])
        predictions = [one.posterior.predict(points) for one in self.fitted]
        mean = np.stack([one.mean for one in predictions], axis=1)[:, None]
        deviation = np.sqrt(np.stack([one.variance for one in predictions], axis=1))[:, None]
        reach = _reach(mean + deviation * self.normal - self.corner, self.directions)
        added: Floats = np.maximum(reach - self.reached, 0.0).mean(1)
        return added * first.feasible(points)


def _reach(points: Floats, directions: Floats) -> Floats:
    """Return ``[..., draws]`` how far points reach in each direction, to the power of objectives.

    Args:
        points: ``[..., draws or 1, objectives]`` relative to the corner; more is better.
        directions: ``[draws, objectives]``.
    """
    reach: Floats = np.maximum((points / directions).min(-1), 0.0) ** directions.shape[-1]
    return reach
