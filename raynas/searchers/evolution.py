"""Aging evolution (Real et al., 2019, arXiv:1802.01548, Algorithm 1).

Differs from the paper: trials run in parallel, so the population is the last ones to *finish* and
neither running nor failed trials are in it; where a scheduler stops trials early, those that went
on longer win a tournament before those with the lower loss; defaults suit budgets of a hundred
trials rather than twenty thousand.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from raynas.errors import ConfigError, SpaceError
from raynas.space import Space
from raynas.trial import History, Proposal, Trial


@dataclass(frozen=True, slots=True)
class RegularizedEvolution:
    """Mutate the best of a random tournament among the youngest trials.

    Attributes:
        space: Where architectures live.
        population_size: How many of the last finished trials are alive (P; 100 in the paper).
        tournament_size: Draws, with replacement, per tournament (S; 25 in the paper).

    Raises:
        SpaceError: The space holds a single architecture, so there is nothing to mutate.
        ConfigError: A size is below one.
    """

    space: Space
    population_size: int = 20
    tournament_size: int = 5

    def __post_init__(self) -> None:
        """Check the sizes and that there is something to mutate."""
        if min(self.population_size, self.tournament_size) < 1:
            raise ConfigError(
                "evolution needs population_size >= 1 and tournament_size >= 1, "
                f"got {self.population_size} and {self.tournament_size}"
            )
        if self.space.size < 2:
            raise SpaceError(
                "evolution needs a space of at least two architectures, this one holds a single "
                "one: use the searcher 'random'"
            )

    def propose(self, history: History, rng: np.random.Generator) -> Proposal:
        """Sample until the population is full, then mutate a tournament's winner."""
        population = history.finished[-self.population_size :]
        if len(population) < self.population_size:
            return Proposal(self.space.sample(rng))
        drawn = rng.integers(len(population), size=self.tournament_size)
        parent = min((population[int(i)] for i in drawn), key=_rank)
        return Proposal(self.space.mutate(parent.architecture, rng), parent=parent.number)


def _rank(trial: Trial) -> tuple[int, float]:
    return -trial.epoch, trial.loss
