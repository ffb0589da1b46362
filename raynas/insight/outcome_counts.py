"""How many trials ended in which way, and the best of them: counted along, event by event."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

from raynas.trial import Failed, Finished, History, Losses, Trial


def ranking_key(trial: Trial) -> tuple[int, int, Losses, int]:
    """Return what trials are ordered by, the best first.

    Trained and finished, answered, running, failed; in each group the longest trained first, of
    these the least loss, of these the lowest number: ``History.best`` comes first.
    """
    match trial.outcome:
        case Finished(answered_by=None):
            group = 0
        case Finished():
            group = 1
        case None:
            group = 2
        case Failed():
            group = 3
    return group, -trial.epoch, trial.losses or (math.inf,), trial.number


@dataclass(slots=True)
class OutcomeCounts:
    """What became of the trials that ended.

    Attributes:
        finished: Trained to their end.
        stopped: Trained, and stopped early.
        answered: Known from an earlier trial, and not trained.
        failed: Ended without a score.
        best: The first of them in standing, if any has a score.
    """

    finished: int = 0
    stopped: int = 0
    answered: int = 0
    failed: int = 0
    best: Trial | None = None

    @classmethod
    def of(cls, history: History) -> Self:
        """Count what ``history`` holds."""
        counts = cls()
        for trial in history.trials.values():
            if trial.outcome is not None:
                counts.add(trial)
        return counts

    @property
    def ended(self) -> int:
        """How many trials that were trained have ended."""
        return self.finished + self.stopped + self.failed

    def add(self, trial: Trial) -> None:
        """Count a trial that has ended."""
        if not trial.trained:
            self.answered += 1
        elif isinstance(trial.outcome, Failed):
            self.failed += 1
        elif trial.stopped:
            self.stopped += 1
        else:
            self.finished += 1
        if isinstance(trial.outcome, Failed):
            return
        self.best = min(filter(None, (self.best, trial)), key=ranking_key)

    def __str__(self) -> str:
        """Return the counts in words; what is zero goes without saying."""
        parts = [
            f"{self.finished} finished",
            f"{self.stopped} stopped early" if self.stopped else "",
            f"{self.failed} failed" if self.failed else "",
            f"{self.answered} answered from the journal" if self.answered else "",
        ]
        return ", ".join(filter(None, parts))
