"""BANANAS (White et al., 2021, arXiv:1910.11858, Algorithm 1).

Networks are ranked by independent Thompson sampling: each by a draw of its own, from the normal
distribution of the ensemble's mean and deviation there.

Differs from the paper: trials are proposed one by one; what is predicted is the logarithm of a
network's rank, which of those that failed is the last; the vector of decisions stands beside the
path encoding, unless one of them is chosen, and alone where a space offers no graph.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from raynas.searchers.predictor.encoding import Kind, chosen
from raynas.searchers.predictor.search import PredictorSearch
from raynas.searchers.training_set import TrainingSet
from raynas.trial import Trial


@dataclass(frozen=True, slots=True)
class BANANAS(PredictorSearch):
    """Of many mutants of the best, train the one of which an ensemble's draw promises most.

    Attributes:
        encoding: What the ensemble sees: ``path``, the paths through the graph of layers;
            ``vector``, the decisions; or ``both``. None for all that the space offers.

    Raises:
        SpaceError: The space holds a single architecture, so there is nothing to mutate.
        ConfigError: An option is below one, or paths are to be seen where there is no graph.
    """

    encoding: Kind | None = None

    def _encoding(self) -> Kind:
        return chosen(self.space, self.encoding)

    def _parents(self, known: TrainingSet, rng: np.random.Generator) -> list[Trial]:  # noqa: ARG002 - not drawn
        """Return the best networks."""
        return [known.trials[row] for row in known.best(self.parents)]

    def _preferred(self, predicted: NDArray[np.float64], rng: np.random.Generator) -> int:
        """Return the best by independent Thompson sampling."""
        return int(np.argmin(rng.normal(predicted.mean(0), predicted.std(0))))
