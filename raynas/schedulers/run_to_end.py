"""No early stopping."""

from __future__ import annotations

from dataclasses import dataclass

from raynas.schedulers.verdict import Verdict
from raynas.trial import History, Report


@dataclass(frozen=True, slots=True)
class RunToEnd:
    """Let every trial train to its end."""

    def check(self, epochs: int) -> None:
        """Accept runs of any length."""

    def decide(self, report: Report, history: History) -> Verdict:  # noqa: ARG002 - by contract
        """Go on."""
        return Verdict.GO
