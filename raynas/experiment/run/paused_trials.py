"""Which trials of a run only pause: its scheduler is asked, as the journal describes it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from raynas.experiment.experiment import Experiment
from raynas.rng import proposal_rng
from raynas.schedulers import SCHEDULERS, Director, Hold, make
from raynas.space import Choice, Space
from raynas.trial import History

_NOWHERE: Final = Space({"nothing": Choice((None,))})  # where a run begins that begins no more


def paused_trials(described: Mapping[str, Any], history: History) -> Collection[int]:
    """Return the stopped trials that may yet go on, or be replaced, as the run was planned.

    Of a scheduler that is not raynas's own none is known: to look at a run must not load the code
    of its user.

    Args:
        described: The run's settings, as ``Experiment.described`` gives them.
        history: What has happened.
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
        rng = proposal_rng(0, len(history.trials))  # nothing is drawn
        if scheduler.direct(history, _NOWHERE, rng, closed=True) in (None, Hold.END):
            return ()  # what it has not let go on by now it has given up
    return scheduler.keeps(history)
