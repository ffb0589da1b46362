"""BANANAS (White et al., 2021, arXiv:1910.11858, Algorithm 1).

Networks are ranked by independent Thompson sampling: each by a draw of its own, from the normal
distribution of the ensemble's mean and deviation there.

Differs from the paper: trials are proposed one by one; what is predicted is the logarithm of a
network's rank, which of those that failed is the last; the vector of decisions stands beside the
path encoding, unless one of them is chosen, and alone where a space offers no graph.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from raynas.errors import ConfigError
from raynas.searchers.mutants import anything, candidates
from raynas.searchers.predictor.encoding import Kind, chosen
from raynas.searchers.predictor.surrogate import Surrogate, learn, most_convincing
from raynas.searchers.requirements import Requirements
from raynas.searchers.selection import check_mutable
from raynas.searchers.training_set import Memo, ended, training_set, training_trials
from raynas.space import Space
from raynas.trial import History, Proposal, Trial


@dataclass(frozen=True, slots=True)
class Bananas:
    """Of many mutants of the best, train the one of which an ensemble's draw promises most.

    What was tried before, is running or has failed is not proposed again, and what is like a
    network that failed is predicted to be bad.

    Attributes:
        space: Where architectures live.
        random_first: Trials that finish before the ensemble is asked.
        members: How many perceptrons the ensemble has.
        parents: How many of the best networks are mutated.
        candidates: How many mutants are compared.
        encoding: What the ensemble sees: ``path``, the paths through the graph of layers;
            ``vector``, the decisions; or ``both``. None for all that the space offers.

    Raises:
        SpaceError: The space holds a single architecture, so there is nothing to mutate.
        ConfigError: An option is below one, or paths are to be seen where there is no graph.
    """

    space: Space
    random_first: int = 10
    members: int = 5
    parents: int = 10
    candidates: int = 100
    encoding: Kind | None = None
    _memo: Memo[Surrogate] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the options and that there is something to mutate."""
        options = self.random_first, self.members, self.parents, self.candidates
        if min(options) < 1:
            raise ConfigError(
                "BANANAS needs random_first, members, parents and candidates >= 1, "
                f"got {', '.join(map(str, options))}"
            )
        check_mutable(self.space, "BANANAS")
        encoding = chosen(self.space, self.encoding)
        memo = Memo(lambda trials: learn(self.space, trials, self.members, encoding))
        object.__setattr__(self, "_memo", memo)

    def check(self, requirements: Requirements) -> None:
        """Refuse several objectives.

        Raises:
            ConfigError: There are some.
        """
        requirements.require_one_objective("BANANAS")

    def propose(self, history: History, rng: np.random.Generator) -> Proposal | None:
        """Sample at first, then draw from what the ensemble says."""
        if len(history.finished) < self.random_first:
            return anything(self.space, history, rng)
        known = training_set(ended(history))
        parents = [known.trials[row] for row in known.best(self.parents)]
        found = candidates(self.space, history, parents, rng, self.candidates)
        if not found:
            return anything(self.space, history, rng)
        predicted = self._surrogate(history).predict([one.architecture for one in found])
        drawn = rng.normal(predicted.mean(0), predicted.std(0))
        return found[int(np.argmin(drawn))]

    def recommend(self, history: History) -> Trial | None:
        """Return the network high up both by its own score and by the ensemble's mean."""
        if len(history.finished) < self.random_first:
            return history.best
        return most_convincing(training_set(ended(history)), self._surrogate(history))

    def _surrogate(self, history: History) -> Surrogate:
        return self._memo.of(training_trials(history, self.random_first))
