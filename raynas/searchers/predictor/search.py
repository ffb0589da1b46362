"""The base class of searchers with a predictor."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from raynas.errors import ConfigError
from raynas.searchers.mutants import anything, candidates
from raynas.searchers.predictor.encoding import Kind
from raynas.searchers.predictor.surrogate import Surrogate, learn, most_convincing
from raynas.searchers.requirements import OneObjective
from raynas.searchers.selection import check_mutable
from raynas.searchers.training_set import Memo, TrainingSet, ended, training_set, training_trials
from raynas.space import Space
from raynas.trial import History, Proposal, Trial


@dataclass(frozen=True, slots=True)
class PredictorSearch(OneObjective):
    """Mutate good networks, and train the mutant that a predictor ranks highest.

    Networks that were tried, run or failed are not proposed again. Networks similar to failed ones
    get bad predictions.

    Attributes:
        space: The search space.
        random_first: How many trials must finish before the predictor is used.
        members: How many perceptrons the predictor has.
        parents: How many networks are mutated.
        candidates: How many mutants are compared.

    Raises:
        SpaceError: The space holds a single architecture, so there is nothing to mutate.
        ConfigError: An option is below one.
    """

    space: Space
    random_first: int = 10
    members: int = 5
    parents: int = 10
    candidates: int = 100
    _memo: Memo[Surrogate] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the options and that there is something to mutate."""
        for name in ("random_first", "members", "parents", "candidates"):
            if getattr(self, name) < 1:
                searcher, value = type(self).__name__, getattr(self, name)
                raise ConfigError(f"{searcher} needs {name} >= 1, got {value}")
        check_mutable(self.space, type(self).__name__)
        encoding = self._encoding()
        memo = Memo(lambda trials: learn(self.space, trials, self.members, encoding))
        object.__setattr__(self, "_memo", memo)

    def propose(self, history: History, rng: np.random.Generator) -> Proposal | None:
        """Sample at first, then mutate and use the predictor."""
        if len(history.finished) < self.random_first:
            return anything(self.space, history, rng)
        parents = self._parents(training_set(ended(history)), rng)
        found = candidates(self.space, history, parents, rng, self.candidates)
        if not found:
            return anything(self.space, history, rng)
        predicted = self._surrogate(history).predict([one.architecture for one in found])
        return found[self._preferred(predicted, rng)]

    def recommend(self, history: History) -> Trial | None:
        """Return a trial that is good both by its own score and by its prediction."""
        if len(history.finished) < self.random_first:
            return history.best
        return most_convincing(training_set(ended(history)), self._surrogate(history))

    def _surrogate(self, history: History) -> Surrogate:
        return self._memo.of(training_trials(history, self.random_first))

    def _encoding(self) -> Kind | None:
        """Return the encoding of networks; none for everything that the space has."""
        return None

    def _parents(self, known: TrainingSet, rng: np.random.Generator) -> list[Trial]:
        """Return the trials whose networks are mutated."""
        raise NotImplementedError

    def _preferred(self, predicted: NDArray[np.float64], rng: np.random.Generator) -> int:
        """Return the candidate to train, of predictions ``[members, candidates]``."""
        raise NotImplementedError
