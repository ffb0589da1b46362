"""The history of a run, built from its events."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from raynas.errors import JournalError
from raynas.trial.events import (
    Event,
    Failed,
    Finished,
    Objective,
    Opened,
    Report,
    Resumed,
    Retried,
    Started,
)
from raynas.trial.trial import Losses, Session, Trial
from raynas.trial.winner import Winner, WinnerEpoch


@dataclass(slots=True)
class History:
    """Everything that happened so far, built from events in their order.

    Searchers and schedulers only read it. Only ``apply`` changes it, and only the owner of the
    journal calls ``apply``.

    Attributes:
        objectives: What the run optimises; trials are ranked by the first one.
        trials: Every trial by number, in the order they started.
        finished: Trials that ended with a score, in the order of their first finish, each as it
            was at its last finish. A trial stays here when it is resumed, and if it then fails.
        failed: Trials that ended without a score, in the order they ended.
        winner: The winner, once it was tested.
        winner_epoch: How far the training of a winner is that is not tested yet.
        sessions: When processes worked on the run, in their order.
        last: The last event; none before the first.
    """

    objectives: tuple[Objective, ...] = (Objective(),)
    trials: dict[int, Trial] = field(default_factory=dict)
    finished: list[Trial] = field(default_factory=list)
    failed: list[Trial] = field(default_factory=list)
    winner: Winner | None = None
    winner_epoch: WinnerEpoch | None = None
    sessions: list[Session] = field(default_factory=list)
    last: Event | None = None
    _running: dict[int, None] = field(default_factory=dict)
    _same: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    _at: defaultdict[int, dict[int, Losses]] = field(default_factory=lambda: defaultdict(dict))
    _place: dict[int, int] = field(default_factory=dict)  # in finished, by number
    _answered: int = 0

    @property
    def running(self) -> Sequence[Trial]:
        """Trials that have not ended, in the order they started."""
        return [self.trials[number] for number in self._running]

    @property
    def trained(self) -> int:
        """How many trials were or are being trained, without those answered by earlier trials."""
        return len(self.trials) - self._answered

    @property
    def networks(self) -> int:
        """How many different networks there are among the trials."""
        return len(self._same)

    @property
    def best(self) -> Trial | None:
        """The trial with the least loss among those trained the longest.

        If trials are equal by the first objective, the second one decides, and so on; so no trial
        dominates it. Of fully equal trials it is the earliest.

        A trial is compared only with trials of the same length: a lucky score after three epochs
        does not beat a score after thirty. A trial that failed after it was resumed is left out.
        """
        scored = [
            t for t in self.finished if not isinstance(self.trials[t.number].outcome, Failed)
        ]
        longest = max((trial.epoch for trial in scored), default=0)
        rivals = (trial for trial in scored if trial.epoch == longest)
        return min(rivals, key=lambda trial: (trial.losses, trial.number), default=None)

    def same(self, identity: str) -> Iterable[Trial]:
        """Return the trials of one identity, in the order they started."""
        return (self.trials[number] for number in self._same.get(identity, ()))

    def at(self, epoch: int) -> Mapping[int, Losses]:
        """Return the losses of every trial that reported after ``epoch``, in order of reports."""
        return self._at.get(epoch, {})

    def apply(self, event: Event) -> None:
        """Add one event.

        Raises:
            JournalError: The event does not fit the events before it.
        """
        match event:
            case Opened():
                self.sessions.append(Session(event, event.at))
                self.winner_epoch = None  # more trials come first
            case Started():
                self._start(event)
            case Report():
                self._report(event)
            case Finished():
                self._finish(event)
            case Failed():
                self._fail(event)
            case Retried():
                self._retry(event)
            case Resumed():
                self._resume(event)
            case WinnerEpoch() | Winner():
                self._hand_over(event)
        self.last = event
        if self.sessions and not isinstance(event, WinnerEpoch | Winner):
            self.sessions[-1] = replace(self.sessions[-1], until=event.at)

    def _start(self, event: Started) -> None:
        if event.number in self.trials:
            raise JournalError(f"trial {event.number} starts twice")
        self.trials[event.number] = Trial(event, known=len(self.finished))
        self._running[event.number] = None
        self._same[event.identity].append(event.number)

    def _report(self, event: Report) -> None:
        trial = self._live(event.number)
        if event.epoch <= trial.epoch:
            raise JournalError(
                f"trial {event.number} reports epoch {event.epoch} after epoch {trial.epoch}"
            )
        losses = tuple(objective.loss(event.metrics) for objective in self.objectives)
        self.trials[event.number] = replace(trial, reports=(*trial.reports, event), losses=losses)
        self._at[event.epoch][event.number] = losses

    def _finish(self, event: Finished) -> None:
        trial = self._live(event.number)
        if event.answered_by is not None:
            self._answered += 1
            source = self.trials[event.answered_by]
            trial = replace(trial, reports=source.reports, losses=source.losses)
        elif not trial.reports:
            raise JournalError(f"trial {event.number} finished without a report")
        self.trials[event.number] = trial = replace(trial, outcome=event)
        del self._running[event.number]
        if (place := self._place.get(event.number)) is not None:
            self.finished[place] = trial
        else:
            self._place[event.number] = len(self.finished)
            self.finished.append(trial)

    def _fail(self, event: Failed) -> None:
        trial = self._live(event.number)
        self.trials[event.number] = trial = replace(trial, outcome=event)
        del self._running[event.number]
        self.failed.append(trial)
        self._answered += event.answered_by is not None

    def _retry(self, event: Retried) -> None:
        trial = self._live(event.number)
        self.trials[event.number] = replace(trial, retries=(*trial.retries, event))

    def _resume(self, event: Resumed) -> None:
        trial = self.trials.get(event.number)
        if trial is None or not trial.resumable:
            raise JournalError(f"trial {event.number} was not stopped, so it cannot be resumed")
        self.trials[event.number] = replace(trial, outcome=None)
        self._running[event.number] = None

    def _hand_over(self, event: WinnerEpoch | Winner) -> None:
        if isinstance(event, Winner):
            self.winner, self.winner_epoch = event, None
        else:
            self.winner_epoch = event

    def _live(self, number: int) -> Trial:
        if number not in self._running:
            raise JournalError(f"trial {number} is not running: it never started or has ended")
        return self.trials[number]
