"""The history of a run, built from its events."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass, field, fields, replace
from operator import attrgetter
from typing import Final

from raynas.errors import JournalError
from raynas.trial.constraint import Constraint, violation
from raynas.trial.events import (
    Event,
    Failed,
    Finished,
    Objective,
    Opened,
    Report,
    Resized,
    Resumed,
    Retried,
    Started,
)
from raynas.trial.reached import Reached, Reporters
from raynas.trial.score import Score
from raynas.trial.trial import Session, Trial
from raynas.trial.winner import Winner, WinnerEpoch

_OF_WINNER: Final = (WinnerEpoch, Winner)


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
        completed: Trials that neither a scheduler nor a limit stopped, in the order they finished.
            These never change.
        failed: Trials that ended without a score, in the order they ended.
        longest: The largest number of epochs for which a trial was started; 0 before the first.
        winner: The winner, once it was tested.
        winner_epoch: How far the training of a winner is that is not tested yet.
        sessions: When processes worked on the run, in their order.
        last: The last event; none before the first.
        constraints: The limits that metrics must keep.
        best_known: The best value of the first objective that there can be; none if unknown.
    """

    objectives: tuple[Objective, ...] = (Objective(),)
    trials: dict[int, Trial] = field(default_factory=dict)
    finished: list[Trial] = field(default_factory=list)
    completed: list[Trial] = field(default_factory=list)
    failed: list[Trial] = field(default_factory=list)
    longest: int = 0
    winner: Winner | None = None
    winner_epoch: WinnerEpoch | None = None
    sessions: list[Session] = field(default_factory=list)
    last: Event | None = None
    constraints: tuple[Constraint, ...] = ()
    best_known: float | None = None
    _running: dict[int, None] = field(default_factory=dict)
    _same: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    _at: defaultdict[int, Reporters] = field(default_factory=lambda: defaultdict(Reporters))
    _place: dict[int, int] = field(default_factory=dict)  # in finished, by number
    _cut: dict[int, None] = field(default_factory=dict)
    _untrained: int = 0
    _best: Trial | None = None

    @property
    def running(self) -> Sequence[Trial]:
        """Trials that have not ended, in the order they started."""
        return [self.trials[number] for number in self._running]

    @property
    def cut(self) -> Sequence[Trial]:
        """Trials that a limit of the run stopped and that have not been resumed since."""
        return [self.trials[number] for number in self._cut]

    @property
    def trained(self) -> int:
        """How many trials were or are being trained; not those that were answered or refused."""
        return len(self.trials) - self._untrained

    @property
    def networks(self) -> int:
        """How many different networks there are among the trials."""
        return len(self._same)

    @property
    def best(self) -> Trial | None:
        """The trial with the least loss among those trained the longest.

        A trial that breaks constraints less comes first, so those that keep all come before the
        others. If trials are equal by the first objective, the second one decides, and so on; so
        no trial dominates it. Of fully equal trials it is the earliest.

        A trial is compared only with trials of the same length: a lucky score after three epochs
        does not beat a score after thirty. A trial that failed after it was resumed is left out.
        """
        return self._best

    def regret(self, value: float) -> float | None:
        """Return how far a value of the first objective is from the best one; none if unknown."""
        if self.best_known is None:
            return None
        first = self.objectives[0]
        own, best = (first.loss({first.metric: one}) for one in (value, self.best_known))
        return own - best

    def same(self, identity: str) -> Iterable[Trial]:
        """Return the trials of one identity, in the order they started."""
        return (self.trials[number] for number in self._same.get(identity, ()))

    def first(self, identity: str) -> Trial:
        """Return the first trial of an identity, of which there must be one."""
        return self.trials[self._same[identity][0]]

    def at(self, epoch: int) -> Reached:
        """Return the scores of every trial that reported after ``epoch``, in order of reports."""
        reporters = self._at.get(epoch) or Reporters()
        return Reached(epoch, reporters, self.trials, self.objectives, self.constraints)

    def copy(self) -> History:
        """Return the history as it is now, for another thread; what comes later is not in it."""
        copied = copy(self)
        for one in fields(self):
            value = getattr(self, one.name)
            if isinstance(value, list | dict):
                setattr(copied, one.name, value.copy())
        return copied

    def apply(self, event: Event) -> None:
        """Add one event.

        Raises:
            JournalError: The event does not fit the events before it.
        """
        match event:
            case Opened() | Resized():
                self._open(event)
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
        if self.sessions and not isinstance(event, _OF_WINNER):
            self.sessions[-1] = Session(self.sessions[-1].opened, event.at)

    def _open(self, event: Opened | Resized) -> None:
        if isinstance(event, Opened):
            self.winner_epoch = None  # more trials come first
        elif self.sessions:  # no time lies between them
            self.sessions[-1] = replace(self.sessions[-1], until=event.at)
        self.sessions.append(Session(Opened(event.at, event.slots, event.gpus), event.at))

    def _start(self, event: Started) -> None:
        if event.number in self.trials:
            raise JournalError(f"trial {event.number} starts twice")
        self.trials[event.number] = Trial(event, known=len(self.finished))
        self.longest = max(self.longest, event.epochs)
        self._running[event.number] = None
        self._same[event.identity].append(event.number)

    def _report(self, event: Report) -> None:
        trial = self._live(event.number)
        if event.epoch <= trial.epoch:
            raise JournalError(
                f"trial {event.number} reports epoch {event.epoch} after epoch {trial.epoch}"
            )
        losses = tuple(objective.loss(event.metrics) for objective in self.objectives)
        reports = trial.reports.plus(event)
        broken = violation(self.constraints, event.metrics)
        self.trials[event.number] = trial.having(reports, losses, violation=broken)
        self._at[event.epoch].add(event.number, Score(broken, losses))

    def _finish(self, event: Finished) -> None:
        trial = self._live(event.number)
        if event.answered_by is not None:
            self._untrained += 1
            source = self.trials[event.answered_by]
            reports, losses, broken = source.reports, source.losses, source.violation
            trial = trial.having(reports, losses, violation=broken)
        elif not trial.reports:
            raise JournalError(f"trial {event.number} finished without a report")
        self.trials[event.number] = trial = trial.having(trial.reports, trial.losses, event)
        del self._running[event.number]
        place = self._place.setdefault(event.number, len(self.finished))
        self.finished[place : place + 1] = [trial]
        if not trial.stopped:
            self.completed.append(trial)
        elif trial.cut:
            self._cut[event.number] = None
        self._best = min((trial, self._best) if self._best else (trial,), key=attrgetter("rank"))

    def _fail(self, event: Failed) -> None:
        trial = self._live(event.number)
        self.trials[event.number] = trial = replace(trial, outcome=event)
        del self._running[event.number]
        self.failed.append(trial)
        self._untrained += not trial.trained
        if self._best is not None and self._best.number == event.number:
            self._best = self._found_best()

    def _retry(self, event: Retried) -> None:
        trial = self._live(event.number)
        self.trials[event.number] = replace(trial, retries=(*trial.retries, event))

    def _resume(self, event: Resumed) -> None:
        trial = self.trials.get(event.number)
        if trial is None or not trial.resumable:
            raise JournalError(f"trial {event.number} was not stopped, so it cannot be resumed")
        self.trials[event.number] = replace(trial, outcome=None)
        self._running[event.number] = None
        self._cut.pop(event.number, None)

    def _hand_over(self, event: WinnerEpoch | Winner) -> None:
        if isinstance(event, Winner):
            self.winner, self.winner_epoch = event, None
        else:
            self.winner_epoch = event

    def _live(self, number: int) -> Trial:
        if number not in self._running:
            raise JournalError(f"trial {number} is not running: it never started or has ended")
        return self.trials[number]

    def _found_best(self) -> Trial | None:
        """Return the best trial, of all that have not failed since they finished."""
        trials, finished = self.trials, self.finished
        scored = (one for one in finished if not isinstance(trials[one.number].outcome, Failed))
        return min(scored, key=attrgetter("rank"), default=None)
