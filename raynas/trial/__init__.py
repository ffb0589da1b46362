"""The values that flow: what is proposed, what happens to it, and all that happened so far."""

from raynas.trial.events import (
    Event,
    Failed,
    Finished,
    Objective,
    Outcome,
    Proposal,
    Report,
    Resumed,
    Retried,
    Started,
    Winner,
)
from raynas.trial.history import History, Losses, Trial

__all__ = [
    "Event",
    "Failed",
    "Finished",
    "History",
    "Losses",
    "Objective",
    "Outcome",
    "Proposal",
    "Report",
    "Resumed",
    "Retried",
    "Started",
    "Trial",
    "Winner",
]
