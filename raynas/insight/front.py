"""The Pareto front of a run with several objectives."""

from __future__ import annotations

import numpy as np

from raynas.searchers.nsga2 import fronts
from raynas.trial import History


def front(history: History) -> list[int]:
    """Return the numbers of the trials on the Pareto front, in ascending order.

    If there is a winner, and its searcher has estimated the front for new data, it is that front.
    Otherwise only the trials with the most epochs and with finite losses are compared, and only
    those that keep the constraints. A trial is
    on the front if no other trial is at least as good in every objective and better in one.
    """
    if history.winner and history.winner.front:
        return [*history.winner.front]
    trained = [trial for trial in history.finished if trial.trained]
    longest = max((trial.epoch for trial in trained), default=0)
    rivals = [
        trial
        for trial in trained
        if trial.epoch == longest and not trial.violation
        if np.isfinite(trial.losses).all()
    ]
    if not rivals:
        return []
    losses = np.array([trial.losses for trial in rivals])
    first = fronts(losses, np.full(len(rivals), longest)) == 0
    return sorted(trial.number for trial, is_first in zip(rivals, first, strict=True) if is_first)
