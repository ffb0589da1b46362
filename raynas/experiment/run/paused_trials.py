"""Find the paused trials of a run; the scheduler that the journal describes knows them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from raynas.experiment.experiment import Experiment
from raynas.rng import proposal_rng
from raynas.schedulers import SCHEDULERS, Director, Hold, make
from raynas.space import Choice, Space
from raynas.trial import History

_NOWHERE: Final = Space({"nothing": Choice((None,))})  # the run begins no more trials


def paused_trials(described: Mapping[str, Any], history: History) -> Collection[int]:
    """Return the numbers of the stopped trials that may continue or be replaced.

    The result is empty for a scheduler that is not one of raynas's own, because showing a run
    must not import the user's code.

    Args:
        described: The settings of the run, as returned by ``Experiment.described``.
        history: All trials so far.
    """
    name = described.get("scheduler")
    if not isinstance(name, str) or name not in SCHEDULERS:
        return ()
    scheduler = make(name, described.get("scheduler_options"))
    if not isinstance(scheduler, Director):
        return ()
    amounts: dict[str, Any] = {
        name: described.get(name) for name in ("trials", "time", "gpu_hours")
    }
    closed = history.trained >= Experiment(**amounts).most_trials
    busy = any(trial.outcome is None or trial.cut for trial in history.trials.values())
    if closed and not busy:
        rng = proposal_rng(0, len(history.trials))  # the scheduler draws nothing from it
        if scheduler.direct(history, _NOWHERE, rng, closed=True) in (None, Hold.END):
            return ()  # the search is complete: no paused trial will continue
    return scheduler.keeps(history)
