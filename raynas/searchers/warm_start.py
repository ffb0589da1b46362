"""Given architectures first, then whatever a searcher makes of how they did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from raynas.searchers.wrapper import SearcherWrapper
from raynas.space import Architecture
from raynas.trial import History, Proposal


@dataclass(frozen=True, slots=True)
class WarmStart(SearcherWrapper):
    """Propose the given architectures, the n-th as the n-th trial; then leave it to a searcher.

    Attributes:
        searcher: Goes on from them, and says at the end what to hand over.
        architectures: Of the searcher's space, in the order in which they are to be tried.
    """

    architectures: Sequence[Architecture]

    def propose(self, history: History, rng: np.random.Generator) -> Proposal | None:
        """Propose the next that was given, or what the searcher proposes."""
        number = len(history.trials)
        if number < len(self.architectures):
            return Proposal(self.architectures[number])
        return self.searcher.propose(history, rng)
