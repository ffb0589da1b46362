"""The answers that a scheduler can give."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from raynas.trial import Proposal


class Verdict(Enum):
    """Whether a trial continues after a report."""

    GO = "go"
    STOP = "stop"


class Begin(Enum):
    """What the searcher is asked for."""

    TRAINED = "trained"  # a trial that is trained even if the history holds its network


class Hold(Enum):
    """No trial starts now."""

    WAIT = "wait"  # until a running trial has reported
    END = "end"  # for good


@dataclass(frozen=True, slots=True)
class Resume:
    """Continue a trial that was stopped.

    Attributes:
        number: The trial's number.
    """

    number: int


Directive = Resume | Proposal | Begin | Hold | None
"""What to do next: resume a trial, begin this proposal, begin a searcher's proposal, or nothing.
None means: begin the searcher's proposal, or answer it from the history."""
