"""NPENAS: evolution guided by a neural predictor (Wei et al., 2020, arXiv:2003.12857, section 3).

Differs from the paper's NPENAS-NP: trials are proposed one by one; the predictor is the mean of
the ensemble that BANANAS uses, not a graph network; parents are chosen by tournament.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from raynas.errors import ConfigError
from raynas.searchers.predictor.search import PredictorSearch
from raynas.searchers.training_set import TrainingSet
from raynas.trial import Trial


@dataclass(frozen=True, slots=True)
class NPENAS(PredictorSearch):
    """Mutate tournament winners, and train the mutant with the best prediction.

    Attributes:
        parents: How many tournaments there are.
        tournament_size: Draws, with replacement, per tournament.

    Raises:
        SpaceError: The space holds a single architecture, so there is nothing to mutate.
        ConfigError: An option is below one.
    """

    parents: int = 20
    tournament_size: int = 10

    def __post_init__(self) -> None:
        """Check the options and that there is something to mutate."""
        PredictorSearch.__post_init__(self)
        if self.tournament_size < 1:
            raise ConfigError(f"NPENAS needs tournament_size >= 1, got {self.tournament_size}")

    def _parents(self, known: TrainingSet, rng: np.random.Generator) -> list[Trial]:
        """Return the winners of tournaments."""
        order = known.best(known.scored)
        drawn = rng.integers(len(order), size=(self.parents, self.tournament_size)).min(1)
        return [known.trials[order[place]] for place in drawn.tolist()]

    def _preferred(self, predicted: NDArray[np.float64], rng: np.random.Generator) -> int:  # noqa: ARG002 - not drawn
        """Return the one with the best mean."""
        return int(np.argmin(predicted.mean(0)))
