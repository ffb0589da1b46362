"""What the history knows of a network need not be trained again."""

from __future__ import annotations

from dataclasses import replace

from raynas.trial import Failed, Finished, History, Started


def answer(history: History, started: Started) -> Finished | Failed | None:
    """Return how a trial that is to start ends, if the history holds its network; else none.

    It does where a trial of the same network ended that was to train at least as long. One that
    failed for no fault of its network says nothing.
    """
    if started.repeat:
        return None
    for trial in history.same(started.identity):
        if trial.started.epochs < started.epochs or not trial.trained:
            continue
        match trial.outcome:
            case Finished():
                return Finished(started.number, trial.stopped, trial.number, started.at)
            case Failed(telling=True) as failed:
                return replace(
                    failed,
                    number=started.number,
                    detail="",
                    answered_by=trial.number,
                    at=started.at,
                )
    return None
