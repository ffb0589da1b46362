"""The history of a run, built from its events."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
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
from raynas.trial.reached import Reached, Reporters
from raynas.trial.trial import Losses, Session, Trial
from raynas.trial.winner import Winner, WinnerEpoch

_Rank = tuple[int, Losses, int]


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
    _running: dict[int, None] = field(default_factory=dict)
    _same: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    _at: defaultdict[int, Reporters] = field(default_factory=lambda: defaultdict(Reporters))
    _place: dict[int, int] = field(default_factory=dict)  # in finished, by number
    _cut: dict[int, None] = field(default_factory=dict)
    _answered: int = 0
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
        return self._best

    def same(self, identity: str) -> Iterable[Trial]:
        """Return the trials of one identity, in the order they started."""
        return (self.trials[number] for number in self._same.get(identity, ()))

    def first(self, identity: str) -> Trial:
        """Return the first trial of an identity, of which there must be one."""
        return self.trials[self._same[identity][0]]

    def at(self, epoch: int) -> Reached:
        """Return the losses of every trial that reported after ``epoch``, in order of reports."""
        reporters = self._at.get(epoch) or Reporters()
        return Reached(epoch, reporters, self.trials, self.objectives)

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
        self.trials[event.number] = replace(trial, reports=reports, losses=losses)
        self._at[event.epoch].add(event.number, losses)

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
        place = self._place.setdefault(event.number, len(self.finished))
        self.finished[place : place + 1] = [trial]
        if not trial.stopped:
            self.completed.append(trial)
        elif trial.cut:
            self._cut[event.number] = None
        self._best = min((trial, self._best) if self._best else (trial,), key=_rank)

    def _fail(self, event: Failed) -> None:
        trial = self._live(event.number)
        self.trials[event.number] = trial = replace(trial, outcome=event)
        del self._running[event.number]
        self.failed.append(trial)
        self._answered += event.answered_by is not None
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
        return min(scored, key=_rank, default=None)


def _rank(trial: Trial) -> _Rank:
    return -trial.epoch, trial.losses, trial.number
