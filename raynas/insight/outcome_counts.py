"""How many trials ended in which way, and the best of them: counted along, event by event."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from raynas.trial import Failed, Finished, History, Losses, Trial


def ranking_key(trial: Trial) -> tuple[int, int, Losses, int]:
    """Return what trials are ordered by, the best first.

    Trained and with a score, be they running or over; answered; running and without a score;
    failed. In each group the longest trained first, of these the least loss, of these the lowest
    number. While none is running, ``History.best`` comes first.
    """
    match trial.outcome:
        case Failed():
            group = 3
        case Finished(answered_by=int()):
            group = 1
        case _:
            group = 0 if trial.reports else 2
    return group, -trial.epoch, trial.losses or (math.inf,), trial.number


def ranked(trial: Trial) -> bool:
    """Say whether a trial has a rank: a score of its own, so far or for good."""
    return ranking_key(trial)[0] == 0


def leading(trials: Iterable[Trial]) -> Trial | None:
    """Return the first of those that have a rank, if any has: the best trial so far."""
    return min(filter(ranked, trials), key=ranking_key, default=None)


@dataclass(slots=True)
class OutcomeCounts:
    """What became of the trials that ended.

    Attributes:
        finished: Trained to their end.
        stopped: Trained, and stopped early.
        answered: Known from an earlier trial, and not trained.
        failed: Ended without a score.
        best: The best of them, if any has a score; it may have been resumed since.
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
        self.best = leading(filter(None, (self.best, trial)))

    def resume(self) -> None:
        """Note that a stopped trial goes on; it stays the best one, with its score so far."""
        self.stopped -= 1

    def leading(self, history: History) -> Trial | None:
        """Return the best trial so far, among those that ended and those that run."""
        return leading(filter(None, (self.best, *history.running)))

    def __str__(self) -> str:
        """Return the counts in words; what is zero goes without saying."""
        parts = [
            f"{self.finished} finished",
            f"{self.stopped} stopped early" if self.stopped else "",
            f"{self.failed} failed" if self.failed else "",
            f"{self.answered} answered from the journal" if self.answered else "",
        ]
        return ", ".join(filter(None, parts))
