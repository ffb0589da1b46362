"""NSGA-II for several objectives (Deb et al., 2002, IEEE TEC 6(2), sections III-A to III-C).

Differs from the paper: the algorithm is steady-state, because trials finish one by one: every
trial that finishes joins the population, and the worst member leaves; a child differs from its
parent (or from the mix of two parents) in one decision, and in more if that network was tried
before; if a scheduler stops trials early, trials that trained longer dominate the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from raynas import pareto
from raynas.errors import ConfigError
from raynas.searchers.incremental import Incremental
from raynas.searchers.selection import check_mutable, draw_untried, sample_untried
from raynas.space import Architecture, Space
from raynas.trial import History, Proposal, Trial

Population = tuple[Trial, ...]  # best first


@dataclass(frozen=True, slots=True)
class NSGA2:
    """Mix and mutate winners of binary tournaments by front, then by crowding.

    It works for one objective as well.

    Attributes:
        space: The search space.
        population_size: How many trials are in the population.
        crossover: The probability that two parents are mixed before the mutation.

    Raises:
        SpaceError: The space holds a single architecture, so there is nothing to mutate.
        ConfigError: The population is below two, or the crossover is not between 0 and 1.
    """

    space: Space
    population_size: int = 20
    crossover: float = 0.9
    _alive: Incremental[Population] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the options and that there is something to mutate."""
        if self.population_size < 2:
            raise ConfigError(f"NSGA-II needs population_size >= 2, got {self.population_size}")
        if not 0 <= self.crossover <= 1:
            raise ConfigError(f"NSGA-II needs 0 <= crossover <= 1, got {self.crossover}")
        check_mutable(self.space, "NSGA-II")
        object.__setattr__(self, "_alive", Incremental(tuple, self._survivors))

    def propose(self, history: History, rng: np.random.Generator) -> Proposal:
        """Sample until the population is full, then breed."""
        population = self._alive.after(history)
        if len(population) < self.population_size:
            return Proposal(sample_untried(self.space, history, rng), random=True)
        one, other = (
            population[int(rng.integers(len(population), size=2).min())] for _ in range(2)
        )
        child = one.architecture
        if rng.random() < self.crossover:
            child = self.space.crossover(child, other.architecture, rng)

        def mutated() -> Architecture:
            nonlocal child
            child = self.space.mutate(child, rng)
            return child

        return Proposal(draw_untried(self.space, history, mutated), parent=one.number)

    def _survivors(self, population: Population, trial: Trial, _: History) -> Population:
        # The like of an answered one is, or was, in the population already.
        if not trial.trained or not np.isfinite(trial.losses).all():
            return population
        population = (*population, trial)
        best_first = order(population)[: self.population_size]
        return tuple(population[i] for i in best_first)


def order(trials: Sequence[Trial]) -> NDArray[np.intp]:
    """Return the indices, best first: by front, then the least crowded, then the earliest."""
    losses = np.array([trial.losses for trial in trials])
    broken = np.array([trial.violation for trial in trials])
    front = fronts(losses, np.array([trial.epoch for trial in trials]), broken)
    numbers = np.array([trial.number for trial in trials])
    return np.lexsort((numbers, -crowding(losses, front), front))


def fronts(
    losses: NDArray[np.float64],
    epochs: NDArray[np.int_],
    broken: NDArray[np.float64] | None = None,
) -> NDArray[np.int_]:
    """Return the front each trial is in: 0 for those that none dominates, and so on.

    Args:
        losses: ``[trials, objectives]``, to be minimised.
        epochs: ``[trials]``; who was trained longer dominates.
        broken: ``[trials]``: by how much they break the constraints; of trials of one length, who
            breaks them less dominates (constrained domination, section VI); none for no
            constraints.
    """
    first = epochs[:, None] > epochs
    if broken is not None:
        first |= (epochs[:, None] == epochs) & (broken[:, None] < broken)
    return pareto.fronts(first | (pareto.dominance(losses) & ~first.T))


def crowding(losses: NDArray[np.float64], front: NDArray[np.int_]) -> NDArray[np.float64]:
    """Return each trial's crowding distance within its front; infinite at the ends.

    Args:
        losses: ``[trials, objectives]``.
        front: ``[trials]``, as ``fronts`` returns it.
    """
    distance = np.full(len(losses), np.inf)
    for number in np.flatnonzero(np.bincount(front) > 2):
        members = np.flatnonzero(front == number)
        distance[members] = sum(map(_gaps, losses[members].T))
    return distance


def _gaps(losses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of the range between each loss's neighbours, for one objective."""
    ranked = np.argsort(losses, kind="stable")
    ascending = losses[ranked]
    gaps = np.full(len(losses), np.inf)
    span = ascending[-1] - ascending[0]
    gaps[ranked[1:-1]] = (ascending[2:] - ascending[:-2]) / span if span > 0 else 0.0
    return gaps
