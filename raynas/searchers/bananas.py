"""BANANAS (White et al., 2021, arXiv:1910.11858, Algorithm 1).

Independent Thompson sampling ranks the networks: each network gets one draw from the normal
distribution with the ensemble's mean and standard deviation for that network.

Differs from the paper: trials are proposed one by one; the ensemble predicts the logarithm of a
network's rank, and failed networks have the last rank; by default the input is the path encoding
together with the vector of decisions. If the space has no graph, it is the vector alone.
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
    """Mutate the best networks, and train the mutant with the best draw from the ensemble.

    Attributes:
        encoding: The input of the ensemble: ``path``, the paths through the graph of layers;
            ``vector``, the decisions; or ``both``. None for everything that the space has.

    Raises:
        SpaceError: The space holds a single architecture, so there is nothing to mutate.
        ConfigError: An option is below one, or the encoding needs a graph and there is none.
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
