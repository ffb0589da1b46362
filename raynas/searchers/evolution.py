"""Aging evolution (Real et al., 2019, arXiv:1802.01548, Algorithm 1).

Options beyond the paper: crossover before the mutation. If the choices of the space have prior
weights, new values are drawn by these weights.

Differs from the paper: trials run in parallel, so the population is the trials that *finished*
last, without running and failed trials; if a scheduler stops trials early, a trial that trained
longer wins a tournament against one with a lower loss; the defaults suit budgets of a hundred
trials, not of twenty thousand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from raynas.errors import ConfigError
from raynas.searchers.requirements import OneObjective
from raynas.searchers.selection import check_mutable, rank
from raynas.space import Space
from raynas.trial import History, Proposal, Trial


@dataclass(frozen=True, slots=True)
class RegularizedEvolution(OneObjective):
    """Mutate the best of a random tournament among the youngest trials.

    Attributes:
        space: The search space.
        population_size: How many of the last finished trials are the population (P; 100 in the
            paper).
        tournament_size: Draws, with replacement, per tournament (S; 25 in the paper).
        crossover: The probability that two tournament winners are mixed before the mutation (0
            in the paper).

    Raises:
        SpaceError: The space holds a single architecture, so there is nothing to mutate.
        ConfigError: A size is below one, or the crossover is not between 0 and 1.
    """

    space: Space
    population_size: int = 20
    tournament_size: int = 5
    crossover: float = 0.0

    def __post_init__(self) -> None:
        """Check the options and that there is something to mutate."""
        if min(self.population_size, self.tournament_size) < 1:
            raise ConfigError(
                "evolution needs population_size >= 1 and tournament_size >= 1, "
                f"got {self.population_size} and {self.tournament_size}"
            )
        if not 0 <= self.crossover <= 1:
            raise ConfigError(f"evolution needs 0 <= crossover <= 1, got {self.crossover}")
        check_mutable(self.space, "evolution")

    def propose(self, history: History, rng: np.random.Generator) -> Proposal:
        """Sample until the population is full, then mutate a tournament's winner."""
        population = history.finished[-self.population_size :]
        if len(population) < self.population_size:
            return Proposal(self.space.sample(rng), random=True)
        parent = self._winner(population, rng)
        architecture = parent.architecture
        if self.crossover and rng.random() < self.crossover:
            other = self._winner(population, rng).architecture
            architecture = self.space.crossover(architecture, other, rng)
        return Proposal(self.space.mutate(architecture, rng), parent=parent.number)

    def _winner(self, population: Sequence[Trial], rng: np.random.Generator) -> Trial:
        drawn = rng.integers(len(population), size=self.tournament_size)
        return min((population[int(i)] for i in drawn), key=rank)
