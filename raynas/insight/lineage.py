"""Whose training lives on: in a trial itself, or in those that have inherited from it."""

from __future__ import annotations

from collections.abc import Mapping

from raynas.trial import Failed, History


def replaced(history: History) -> set[int]:
    """Return the stopped trials whose place another has taken, as in a population."""
    heirs = (trial.started.replaces for trial in history.trials.values())
    return {number for number in heirs if number is not None}


def lasting(history: History) -> Mapping[int, int]:
    """Return up to which epoch the training of each trial lives on.

    All of it does unless the trial has failed or was replaced. Of these, what a living heir has
    taken over lives on; an heir that does not live may have passed it on to another.
    """
    gone = replaced(history)
    until = dict.fromkeys(history.trials, 0)
    for trial in reversed(history.trials.values()):  # heirs come after their parents
        if trial.number not in gone and not isinstance(trial.outcome, Failed):
            until[trial.number] = trial.epoch
        parent = trial.started.parent
        if trial.started.inherits and parent is not None and until[trial.number]:
            donor = history.trials[parent].donor
            until[donor] = max(until[donor], trial.started.begin)
    return until
