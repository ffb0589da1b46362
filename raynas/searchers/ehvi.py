"""Expected hypervolume improvement for several objectives, with one Gaussian process for each.

The hypervolume that a front dominates is, up to a factor, a mean over random directions: for each
direction, how far the best point of the front reaches (Golovin & Zhang, 2020, arXiv:2006.04655).
So the expected improvement by an untried network is the mean, over directions and draws from the
processes, of how much farther the network reaches than the front.

The volume is that of the losses as they are measured, not of the processes' scale (see
``gp.model``). It has no single reference point: each direction has its own corner, which is in
each objective as bad as a random network of a random rank is expected to be, and distances are
fractions of the way from the best loss to the corner. So an improvement counts as often as random
networks are worse (the weighted hypervolume of Zitzler et al., 2007, EMO, pages 862-876), units
do not matter, and a few very bad networks do not either.

If the space has ``graph``, the processes also compare networks by numbers about their graphs (see
``gp.graph_numbers``): costs depend on what is computed, which decisions describe indirectly.

Differs from the papers: networks are compared by the expectation over many directions, not by one
random direction at a time; the front is that of the processes' means; a network is trained once.
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
from raynas.searchers.gp.acquisition import best_several
from raynas.searchers.gp.candidates import anywhere, around
from raynas.searchers.gp.climb import climb
from raynas.searchers.gp.graph_numbers import with_graph
from raynas.searchers.gp.handover import handed_over_front
from raynas.searchers.gp.kernel import Points
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
_LEAST_ROOM: Final = 0.1  # of the mean distance of random networks from the best one
_TINY: Final = 1e-12
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
        features = with_graph(self.space, self.features)
        object.__setattr__(self, "_rows", Rows(self.space, features, self.pool))

    def propose(self, history: History, rng: np.random.Generator) -> Proposal | None:
        """Sample at first, then propose the network with the largest expected improvement."""
        return next(iter(self.propose_several(history, rng, 1)), None)

    @on_one_thread
    def propose_several(
        self, history: History, rng: np.random.Generator, count: int
    ) -> list[Proposal]:
        """Return that proposal, then the networks with the next largest improvements."""
        if not self._informed(history):
            return self._anything(history, rng, count)
        fitted = self._fitted(history)
        far = anywhere(self.space, history, rng)
        front = Front.of(fitted, far, rng)
        trained = {
            number: trial
            for one in fitted
            for number, trial in zip(one.known.network.tolist(), one.trials, strict=True)
        }
        parents = [
            trained[number] for number in rng.permutation(front.members)[:_PARENTS].tolist()
        ]
        near = around(self.space, history, parents, rng)
        fresh = [*near, *far]
        if not fresh:
            return self._anything(history, rng, count)
        fresh, values = climb(self.space, history, fresh, front.value, rng)
        return [fresh[at] for at in best_several(values, count)]

    def _anything(self, history: History, rng: np.random.Generator, count: int) -> list[Proposal]:
        drawn = (anything(self.space, history, rng) for _ in range(count))
        return [one for one in drawn if one]

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
        best: ``[objectives]`` the least expected loss of a known network.
        room: ``[draws, objectives]`` from the best to the corner of the volume.
        directions: ``[draws, objectives]`` of length one, none negative.
        normal: ``[draws, objectives]`` normal variables.
        reached: ``[draws]`` how far the front reaches in each direction.
    """

    fitted: Sequence[FittedSurrogate]
    members: NDArray[np.intp]
    best: Floats
    room: Floats
    directions: Floats
    normal: Floats
    reached: Floats

    @classmethod
    def of(
        cls,
        fitted: Sequence[FittedSurrogate],
        usual: Sequence[Proposal],
        rng: np.random.Generator,
    ) -> Front:
        """Draw the corners and directions, and compute how far the known networks reach.

        Networks that break a constraint are not on the front, unless all do.

        Args:
            fitted: The fitted surrogates, one per objective.
            usual: Untried random networks; if there are none, the known ones take their place.
            rng: The source of randomness.
        """
        known = reduce(add, (one.known for one in fitted))
        known = known.take(np.unique(known.network, return_index=True)[1])
        broken = {
            number
            for one in fitted
            for number, trial in zip(one.known.network.tolist(), one.trials, strict=True)
            if trial.violation
        }
        kept = np.array([number not in broken for number in known.network.tolist()])
        if kept.any():
            known = known.take(np.flatnonzero(kept))
        losses = _expected(fitted, known)
        members = np.flatnonzero(~pareto.dominance(losses).any(axis=0))
        best, shape = losses.min(0), (_DRAWS, len(fitted))
        points = fitted[0].untried([one.architecture for one in usual])
        behind = (_expected(fitted, points) if usual else losses) - best
        least = _LEAST_ROOM * np.maximum(behind, 0.0).mean(0) + _TINY
        shares = rng.random(shape).T
        corner = [np.quantile(one, share) for one, share in zip(behind.T, shares, strict=True)]
        room = np.maximum(np.stack(corner, axis=1), least)
        directions = np.abs(rng.standard_normal(shape)) + _TINY
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        reached = _reach(1.0 - (losses[members, None] - best) / room, directions).max(0)
        normal = rng.standard_normal(shape)
        return cls(fitted, known.network[members], best, room, directions, normal, reached)

    def value(self, fresh: Sequence[Proposal]) -> Floats:
        """Return ``[fresh]`` the expected improvement by each untried network."""
        first = self.fitted[0]
        points = first.untried([one.architecture for one in fresh])
        drawn = []
        for one, normal in zip(self.fitted, self.normal.T, strict=True):
            found = one.posterior.predict(points)
            drawn.append(
                one.target.gap(found.mean[:, None] + np.sqrt(found.variance)[:, None] * normal)
            )
        behind = (np.stack(drawn, axis=2) - self.best) / self.room
        reach = _reach(1.0 - behind, self.directions)
        added: Floats = np.maximum(reach - self.reached, 0.0).mean(1)
        return added * first.feasible(points)


def _expected(fitted: Sequence[FittedSurrogate], points: Points) -> Floats:
    """Return ``[points, objectives]``: the losses at the posterior means."""
    means = (one.target.gap(one.posterior.mean(points).round(_DIGITS)) for one in fitted)
    return np.stack([*means], axis=1)


def _reach(points: Floats, directions: Floats) -> Floats:
    """Return ``[..., draws]`` how far points reach in each direction, to the power of objectives.

    Args:
        points: ``[..., draws or 1, objectives]`` relative to the corner; more is better.
        directions: ``[draws, objectives]``.
    """
    reach: Floats = np.maximum((points / directions).min(-1), 0.0) ** directions.shape[-1]
    return reach
