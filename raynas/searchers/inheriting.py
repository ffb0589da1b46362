"""Children that begin with their parents' weights, for any searcher with mutations."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from raynas.searchers.incremental import Incremental
from raynas.searchers.selection import rank
from raynas.searchers.wrapper import SearcherWrapper
from raynas.trial import History, Proposal, Trial

_KEPT: Final = 25  # checkpoints kept of the latest trials, and of the best
_Kept = tuple[tuple[Trial, ...], tuple[Trial, ...]]  # the latest and the best


@dataclass(frozen=True, slots=True)
class Inheriting(SearcherWrapper):
    """Let every proposal that has a parent inherit the parent's weights, if they still exist.

    Attributes:
        searcher: Proposes, and chooses the trial to hand over.
    """

    _kept: Incremental[_Kept] = field(
        default_factory=lambda: Incremental(lambda: ((), ()), _kept_next),
        init=False,
        repr=False,
        compare=False,
    )

    def propose(self, history: History, rng: np.random.Generator) -> Proposal | None:
        """Propose what the searcher proposes."""
        proposal = self.searcher.propose(history, rng)
        if proposal is None or proposal.parent is None or proposal.repeat:
            return proposal
        donor = history.trials[proposal.parent].donor
        return replace(proposal, inherits=donor in self.keeps(history))

    def keeps(self, history: History) -> Collection[int]:
        """Return the trials whose weights are kept: the latest and the best."""
        latest, best = self._kept.after(history)
        return {trial.number for trial in (*latest, *best)}


def _kept_next(kept: _Kept, trial: Trial, history: History) -> _Kept:
    """Return the latest trials, and the best ones, after one more has finished."""
    del history
    if not trial.trained:
        return kept
    latest, best = kept
    return (*latest, trial)[-_KEPT:], tuple(sorted((*best, trial), key=rank)[:_KEPT])
