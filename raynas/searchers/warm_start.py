"""Given architectures first, then whatever a searcher makes of how they did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from raynas.searchers import Searcher, check, recommendation, recommended
from raynas.searchers.aim import Aim
from raynas.searchers.recommendation import Recommendation
from raynas.space import Architecture, Space
from raynas.trial import History, Proposal, Trial


@dataclass(frozen=True, slots=True)
class WarmStart:
    """Propose the given architectures, the n-th as the n-th trial; then leave it to a searcher.

    Attributes:
        searcher: Goes on from them, and says at the end what to hand over.
        architectures: Of the searcher's space, in the order in which they are to be tried.
    """

    searcher: Searcher
    architectures: Sequence[Architecture]

    @property
    def space(self) -> Space:
        """Where architectures live."""
        return self.searcher.space

    def check(self, aim: Aim) -> None:
        """Let the searcher refuse what does not suit it.

        Raises:
            ConfigError: It does.
        """
        check(self.searcher, aim)

    def propose(self, history: History, rng: np.random.Generator) -> Proposal | None:
        """Propose the next that was given, or what the searcher proposes."""
        number = len(history.trials)
        if number < len(self.architectures):
            return Proposal(self.architectures[number])
        return self.searcher.propose(history, rng)

    def recommend(self, history: History) -> Trial | None:
        """Return what the searcher hands over."""
        return recommended(self.searcher, history)

    def recommendation(self, history: History) -> Recommendation | None:
        """Return what the searcher hands over, and why."""
        return recommendation(self.searcher, history)
