"""Find the training whose result is still in use: by its trial, or by trials that inherited it."""

from __future__ import annotations

from collections.abc import Mapping

from raynas.trial import Failed, History


def replaced(history: History) -> set[int]:
    """Return the numbers of the stopped trials that another trial replaced in a population."""
    heirs = (trial.started.replaces for trial in history.trials.values())
    return {number for number in heirs if number is not None}


def lasting(history: History) -> Mapping[int, int]:
    """Return for each trial, by number, the last epoch whose result is still in use.

    It is the last epoch of the trial, unless the trial failed or was replaced. Then it is the
    last epoch whose weights were inherited, directly or through other trials, by a trial that
    neither failed nor was replaced; 0 if there is none.
    """
    gone = replaced(history)
    until = dict.fromkeys(history.trials, 0)
    for trial in reversed(history.trials.values()):  # children come after their parents
        if trial.number not in gone and not isinstance(trial.outcome, Failed):
            until[trial.number] = trial.epoch
        parent = trial.started.parent
        if trial.started.inherits and parent is not None and until[trial.number]:
            donor = history.trials[parent].donor
            until[donor] = max(until[donor], trial.started.begin)
    return until
