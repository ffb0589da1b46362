"""Which trials are worth a choice where a run has several objectives."""

from __future__ import annotations

import numpy as np

from raynas.searchers.nsga2 import fronts
from raynas.trial import History


def front(history: History) -> list[int]:
    """Return the numbers of the trials on the Pareto front, ascending.

    Once there is a winner, that is the front that its searcher expects on new data, if it expects
    one. Otherwise on it are, of the trials trained the longest, those that no other one beats:
    none is as good in every objective and better in one. What is not finite beats nothing and is
    not on it.
    """
    if history.winner and history.winner.front:
        return [*history.winner.front]
    trained = [trial for trial in history.finished if trial.trained]
    longest = max((trial.epoch for trial in trained), default=0)
    rivals = [
        trial
        for trial in trained
        if trial.epoch == longest and bool(np.isfinite(trial.losses).all())
    ]
    if not rivals:
        return []
    losses = np.array([trial.losses for trial in rivals])
    first = fronts(losses, np.full(len(rivals), longest)) == 0
    return sorted(trial.number for trial, is_first in zip(rivals, first, strict=True) if is_first)
