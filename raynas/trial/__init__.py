"""Proposals, events, trials, and the history of a run."""

from raynas.trial.events import (
    Cause,
    Event,
    Failed,
    Fault,
    Finished,
    Objective,
    Opened,
    Outcome,
    Proposal,
    Remedy,
    Report,
    Resumed,
    Retried,
    Screening,
    Started,
    TrialEvent,
)
from raynas.trial.history import History
from raynas.trial.reports import Reports
from raynas.trial.trial import Losses, Session, Trial
from raynas.trial.winner import Winner, WinnerEpoch

__all__ = [
    "Cause",
    "Event",
    "Failed",
    "Fault",
    "Finished",
    "History",
    "Losses",
    "Objective",
    "Opened",
    "Outcome",
    "Proposal",
    "Remedy",
    "Report",
    "Reports",
    "Resumed",
    "Retried",
    "Screening",
    "Session",
    "Started",
    "Trial",
    "TrialEvent",
    "Winner",
    "WinnerEpoch",
]
