"""The values that flow: what is proposed, what happens to it, and all that happened so far."""

from raynas.trial.events import (
    Event,
    Failed,
    Finished,
    Objective,
    Opened,
    Outcome,
    Proposal,
    Report,
    Resumed,
    Retried,
    Started,
    TrialEvent,
    Winner,
    accuracy_error,
)
from raynas.trial.history import History
from raynas.trial.trial import Losses, Sitting, Trial

__all__ = [
    "Event",
    "Failed",
    "Finished",
    "History",
    "Losses",
    "Objective",
    "Opened",
    "Outcome",
    "Proposal",
    "Report",
    "Resumed",
    "Retried",
    "Sitting",
    "Started",
    "Trial",
    "TrialEvent",
    "Winner",
    "accuracy_error",
]
