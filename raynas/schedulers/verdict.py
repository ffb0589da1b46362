"""What a scheduler can say."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from raynas.trial import Proposal


class Verdict(Enum):
    """Whether a trial goes on after a report."""

    GO = "go"
    STOP = "stop"


class Begin(Enum):
    """What the searcher is asked for."""

    TRAINED = "trained"  # a trial that is trained even if the history holds its network


class Hold(Enum):
    """Why nothing starts now."""

    WAIT = "wait"  # until a running trial has reported
    END = "end"  # for good


@dataclass(frozen=True, slots=True)
class Resume:
    """A trial that was stopped is to go on.

    Attributes:
        number: The trial's number.
    """

    number: int


Directive = Resume | Proposal | Begin | Hold | None
"""What to do next: take up a trial, begin this one or what the searcher proposes, nothing; or, if
none, as the searcher proposes and the history answers."""
