"""NASBOT: Bayesian optimisation with optimal transport (Kandasamy et al., 2018, arXiv:1802.07191).

The best networks are mutated, and the mutant with the largest expected improvement is trained.
The model is a Gaussian process whose kernel uses OTMANN distances. A running trial counts as if
it had the expected score.

Differs from the paper: the acquisition function is maximised over one generation of mutants of
the space's decisions, not by an evolution that mutates layers; the process models the logarithm
of the rank of scores, and failed networks have the last rank; if there are many trials, the
process sees only the best and the latest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from raynas.errors import ConfigError
from raynas.searchers.blas import on_one_thread
from raynas.searchers.mutants import anything, candidates
from raynas.searchers.requirements import OneObjective
from raynas.searchers.selection import check_mutable
from raynas.searchers.training_set import Memo, TrainingSet, ended, training_set, training_trials
from raynas.searchers.transport.distance_table import DistanceTable, Network
from raynas.searchers.transport.process import (
    Kernel,
    Posterior,
    believing,
    expected_improvement,
    fit,
)
from raynas.space import Architecture, Space
from raynas.space.graph import decision_chain
from raynas.trial import History, Proposal, Trial

_MODELLED: Final = 120  # networks, at most, that the process sees
_WORK: Final = 12_000  # known networks times layers times candidates, about, per proposal
_FEWEST, _MOST = 8, 64  # candidates

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class NASBOT(OneObjective):
    """Train the mutant of a good network with the largest expected improvement.

    Networks are compared by the space's own graph; if there is none, by the chain of their
    decisions. The larger the networks, the fewer mutants are compared.

    Attributes:
        space: The search space.
        random_first: How many trials must finish before the process is used.
        parents: How many of the best networks are mutated.

    Raises:
        SpaceError: The space holds a single architecture, so there is nothing to mutate.
        ConfigError: An option is below one.
    """

    space: Space
    random_first: int = 10
    parents: int = 10
    _atlas: DistanceTable = field(init=False, repr=False, compare=False)
    _memo: Memo[Kernel] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the options and that there is something to mutate."""
        if min(self.random_first, self.parents) < 1:
            raise ConfigError(
                "NASBOT needs random_first >= 1 and parents >= 1, "
                f"got {self.random_first} and {self.parents}"
            )
        check_mutable(self.space, "NASBOT")
        graph = self.space.graph or partial(decision_chain, self.space.decisions)
        object.__setattr__(self, "_atlas", DistanceTable(graph))
        object.__setattr__(self, "_memo", Memo(self._fitted))

    @on_one_thread
    def propose(self, history: History, rng: np.random.Generator) -> Proposal | None:
        """Sample at first, then ask the process."""
        if len(history.finished) < self.random_first:
            return anything(self.space, history, rng)
        belief = self._belief(history)
        known = belief.known
        parents = [known.trials[row] for row in known.best(self.parents)]
        found = candidates(self.space, history, parents, rng, self._affordable(belief))
        if not found:
            return anything(self.space, history, rng)
        asked = [self._network(one.architecture) for one in found]
        apart = self._atlas.between(asked, belief.networks)
        mean, deviation = belief.process.at(belief.kernel(apart).T)
        best = belief.expected[: known.scored].min()
        promise = expected_improvement(best, mean, deviation)
        return found[int(np.argmax(promise))]

    @on_one_thread
    def recommend(self, history: History) -> Trial | None:
        """Return the trial with the best expected score among those trained the longest."""
        if len(history.finished) < self.random_first:
            return history.best
        belief = self._belief(history)
        rows = belief.known.contenders()
        return belief.known.trials[rows[int(np.argmin(belief.expected[rows]))]]

    def _belief(self, history: History) -> _Belief:
        known = _modelled(training_set(ended(history)))
        networks = _networks(known.trials)
        seen = {network.identity for network in networks}
        training = [one for one in _networks(history.running) if one.identity not in seen]
        networks += dict.fromkeys(training)
        kernel = self._memo.of(training_trials(history, self.random_first))
        covariances = kernel(self._atlas.among(networks))
        noise = kernel.noise / known.counts
        process = believing(covariances, noise, known.targets, kernel.noise)
        expected, _ = process.at(covariances[:, : len(noise)])
        return _Belief(known, networks, kernel, process, expected)

    def _fitted(self, trials: Sequence[Trial]) -> Kernel:
        known = _modelled(training_set(trials))
        return fit(self._atlas.among(_networks(known.trials)), known.targets, known.counts)

    def _affordable(self, belief: _Belief) -> int:
        """Return how many candidates can be compared in reasonable time."""
        layers = sum(self._atlas.layers(network) for network in belief.networks)
        return min(max(_WORK // layers, _FEWEST), _MOST)

    def _network(self, architecture: Architecture) -> Network:
        return Network(self.space.identity(architecture), architecture)


@dataclass(frozen=True, slots=True, eq=False)
class _Belief:
    """The fitted model and its expectations.

    Attributes:
        known: Networks that were scored.
        networks: The known networks, then the running ones.
        kernel: The similarity of networks.
        process: The posterior given all of them.
        expected: ``[known]`` expected targets.
    """

    known: TrainingSet
    networks: list[Network]
    kernel: Kernel
    process: Posterior
    expected: Floats


def _modelled(known: TrainingSet) -> TrainingSet:
    """Return all networks; if they are too many, the best and the latest (also failed ones)."""
    if len(known.trials) <= _MODELLED:
        return known
    numbers = np.array([trial.number for trial in known.trials])
    latest = np.argsort(numbers)[-_MODELLED // 2 :].tolist()
    return known.only(sorted({*known.best(_MODELLED // 2), *latest}))


def _networks(trials: Sequence[Trial]) -> list[Network]:
    return [Network(trial.identity, trial.architecture) for trial in trials]
