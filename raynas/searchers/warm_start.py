"""Starting points: the given architectures are proposed first, then a searcher continues."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from raynas.searchers.wrapper import SearcherWrapper
from raynas.space import Architecture
from raynas.trial import History, Proposal


@dataclass(frozen=True, slots=True)
class WarmStart(SearcherWrapper):
    """Propose the n-th given architecture as the n-th trial; afterwards the searcher proposes.

    Attributes:
        searcher: Continues from them, and chooses the trial to hand over.
        architectures: Architectures of the searcher's space, in the order of the trials.
    """

    architectures: Sequence[Architecture]

    def propose(self, history: History, rng: np.random.Generator) -> Proposal | None:
        """Return the next given architecture, or the searcher's proposal."""
        number = len(history.trials)
        if number < len(self.architectures):
            return Proposal(self.architectures[number])
        return self.searcher.propose(history, rng)
