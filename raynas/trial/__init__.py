"""Proposals, events, trials, and the history of a run."""

from raynas.trial.constraint import Constraint, check_together, violation
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
    Resized,
    Resumed,
    Retried,
    Screening,
    Started,
    TrialEvent,
)
from raynas.trial.history import History
from raynas.trial.reports import Reports
from raynas.trial.score import Score
from raynas.trial.trial import Losses, Rank, Session, Trial
from raynas.trial.winner import Winner, WinnerEpoch

__all__ = [
    "Cause",
    "Constraint",
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
    "Rank",
    "Remedy",
    "Report",
    "Reports",
    "Resized",
    "Resumed",
    "Retried",
    "Score",
    "Screening",
    "Session",
    "Started",
    "Trial",
    "TrialEvent",
    "Winner",
    "WinnerEpoch",
    "check_together",
    "violation",
]
