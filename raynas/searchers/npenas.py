"""NPENAS: evolution guided by a neural predictor (Wei et al., 2020, arXiv:2003.12857, section 3).

Differs from the paper's NPENAS-NP: trials are proposed one by one; the predictor is the ensemble
that BANANAS uses, by its mean, rather than a graph network; parents are drawn by tournament.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from raynas.errors import ConfigError
from raynas.searchers.mutants import anything, candidates
from raynas.searchers.predictor.surrogate import Surrogate, learn, most_convincing
from raynas.searchers.requirements import Requirements
from raynas.searchers.selection import check_mutable
from raynas.searchers.training_set import Memo, TrainingSet, ended, training_set, training_trials
from raynas.space import Space
from raynas.trial import History, Proposal, Trial


@dataclass(frozen=True, slots=True)
class Npenas:
    """Of many mutants of tournament winners, train the one that is predicted to be best.

    What was tried before, is running or has failed is not proposed again, and what is like a
    network that failed is predicted to be bad.

    Attributes:
        space: Where architectures live.
        random_first: Trials that finish before the predictor is asked.
        members: How many perceptrons the predictor is the mean of.
        parents: How many tournaments are held.
        tournament_size: Draws, with replacement, per tournament.
        candidates: How many mutants are compared.

    Raises:
        SpaceError: The space holds a single architecture, so there is nothing to mutate.
        ConfigError: An option is below one.
    """

    space: Space
    random_first: int = 10
    members: int = 5
    parents: int = 20
    tournament_size: int = 10
    candidates: int = 100
    _memo: Memo[Surrogate] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the options and that there is something to mutate."""
        options = self.members, self.parents, self.tournament_size, self.candidates
        if min(self.random_first, *options) < 1:
            raise ConfigError(
                "NPENAS needs random_first, members, parents, tournament_size and candidates "
                f">= 1, got {self.random_first}, {', '.join(map(str, options))}"
            )
        check_mutable(self.space, "NPENAS")
        memo = Memo(lambda trials: learn(self.space, trials, self.members))
        object.__setattr__(self, "_memo", memo)

    def check(self, requirements: Requirements) -> None:
        """Refuse several objectives.

        Raises:
            ConfigError: There are some.
        """
        requirements.require_one_objective("NPENAS")

    def propose(self, history: History, rng: np.random.Generator) -> Proposal | None:
        """Sample at first, then mutate and ask the predictor."""
        if len(history.finished) < self.random_first:
            return anything(self.space, history, rng)
        parents = self._winners(training_set(ended(history)), rng)
        found = candidates(self.space, history, parents, rng, self.candidates)
        if not found:
            return anything(self.space, history, rng)
        predicted = self._surrogate(history).predict([one.architecture for one in found])
        return found[int(np.argmin(predicted.mean(0)))]

    def recommend(self, history: History) -> Trial | None:
        """Return the network high up both by its own score and by what is predicted of it."""
        if len(history.finished) < self.random_first:
            return history.best
        return most_convincing(training_set(ended(history)), self._surrogate(history))

    def _winners(self, known: TrainingSet, rng: np.random.Generator) -> list[Trial]:
        """Return the winners of as many tournaments as there shall be parents."""
        order = known.best(known.scored)
        drawn = rng.integers(len(order), size=(self.parents, self.tournament_size)).min(1)
        return [known.trials[order[place]] for place in drawn.tolist()]

    def _surrogate(self, history: History) -> Surrogate:
        return self._memo.of(training_trials(history, self.random_first))
