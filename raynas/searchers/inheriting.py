"""Children that begin with their parents' weights, for any searcher with mutations."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from raynas.searchers.selection import rank
from raynas.searchers.wrapper import SearcherWrapper
from raynas.trial import History, Proposal

_KEPT: Final = 25  # checkpoints kept of the latest trials, and of the best


@dataclass(frozen=True, slots=True)
class Inheriting(SearcherWrapper):
    """Let every proposal that has a parent inherit the parent's weights, if they still exist.

    Attributes:
        searcher: Proposes, and chooses the trial to hand over.
    """

    def propose(self, history: History, rng: np.random.Generator) -> Proposal | None:
        """Propose what the searcher proposes."""
        proposal = self.searcher.propose(history, rng)
        if proposal is None or proposal.parent is None or proposal.repeat:
            return proposal
        donor = history.trials[proposal.parent].donor
        return replace(proposal, inherits=donor in self.keeps(history))

    def keeps(self, history: History) -> Collection[int]:
        """Return the trials whose weights are kept: the latest and the best."""
        trained = [trial for trial in history.finished if trial.trained]
        return {t.number for t in (*trained[-_KEPT:], *sorted(trained, key=rank)[:_KEPT])}
