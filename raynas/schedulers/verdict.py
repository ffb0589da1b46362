"""What a scheduler can say."""

from __future__ import annotations

from enum import Enum


class Verdict(Enum):
    """Whether a trial goes on after a report."""

    GO = "go"
    STOP = "stop"
