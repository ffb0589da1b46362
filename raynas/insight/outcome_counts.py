"""The number of trials with each outcome, and the best trial, updated after each event."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from raynas.trial import Failed, Finished, History, Rank, Trial


def ranking_key(trial: Trial) -> tuple[int, Rank]:
    """Return the key by which trials are sorted, the best first.

    The groups are, in this order: trained trials with a score, running or ended; trials answered
    another trial; running trials without a score; failed trials. Within a group, they are sorted
    by ``Trial.rank``. If no trial is running, the first is ``History.best``.
    """
    match trial.outcome:
        case Failed():
            group = 3
        case Finished(answered_by=int()):
            group = 1
        case _:
            group = 0 if trial.reports else 2
    return group, trial.rank


def ranked(trial: Trial) -> bool:
    """Return whether a trial has a rank: it needs a score of its own, final or not."""
    return ranking_key(trial)[0] == 0


def leading(trials: Iterable[Trial]) -> Trial | None:
    """Return the best trial that has a rank; none if no trial has one."""
    return min(filter(ranked, trials), key=ranking_key, default=None)


@dataclass(slots=True)
class OutcomeCounts:
    """The numbers of ended trials by outcome.

    Attributes:
        finished: The trials that were trained to their end.
        stopped: The trials that were stopped early.
        answered: The trials that were not trained, because an earlier trial had the result.
        failed: The trials that ended without a score.
        refused: The trials that were not trained, because they break a constraint.
        best: The best ended trial with a score, if any; it may have been resumed later.
    """

    finished: int = 0
    stopped: int = 0
    answered: int = 0
    failed: int = 0
    refused: int = 0
    best: Trial | None = None

    @classmethod
    def of(cls, history: History) -> Self:
        """Count all ended trials of a history."""
        counts = cls()
        for trial in history.trials.values():
            if trial.outcome is not None:
                counts.add(trial)
        return counts

    @property
    def ended(self) -> int:
        """The number of ended trials that were trained."""
        return self.finished + self.stopped + self.failed

    def add(self, trial: Trial) -> None:
        """Count a trial that has ended."""
        if trial.refused:
            self.refused += 1
        elif not trial.trained:
            self.answered += 1
        elif isinstance(trial.outcome, Failed):
            self.failed += 1
        elif trial.stopped:
            self.stopped += 1
        else:
            self.finished += 1
        self.best = leading(filter(None, (self.best, trial)))

    def resume(self) -> None:
        """Record that a stopped trial was resumed; it can stay the best trial with its score."""
        self.stopped -= 1

    def leading(self, history: History) -> Trial | None:
        """Return the best trial so far, ended or running."""
        return leading(filter(None, (self.best, *history.running)))

    def __str__(self) -> str:
        """Return the counts in words, without those that are 0."""
        parts = [
            f"{self.finished} finished",
            f"{self.stopped} stopped early" if self.stopped else "",
            f"{self.failed} failed" if self.failed else "",
            f"{self.refused} refused by constraints" if self.refused else "",
            f"{self.answered} answered from the journal" if self.answered else "",
        ]
        return ", ".join(filter(None, parts))
