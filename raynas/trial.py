"""The values that flow: what is proposed, what happens to it, and all that happened so far."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from raynas.errors import ConfigError, JournalError, unknown
from raynas.space.architecture import Architecture


@dataclass(frozen=True, slots=True)
class Objective:
    """A metric and its direction.

    Attributes:
        metric: The name under which the task reports it.
        direction: Whether more or less of it is better.
    """

    metric: str = "val_accuracy"
    direction: Literal["max", "min"] = "max"

    def loss(self, metrics: Mapping[str, float]) -> float:
        """Return the metric as something to minimise.

        Raises:
            ConfigError: The report does not hold the metric.
        """
        if self.metric not in metrics:
            raise ConfigError(unknown("metric", self.metric, metrics))
        return -metrics[self.metric] if self.direction == "max" else metrics[self.metric]


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a searcher asks for.

    Attributes:
        architecture: What to train.
        epochs: How long at most; none for the run's full length.
        repeat: Train it even if the history holds it, under a training seed of its own.
        parent: The number of the trial it was derived from, if any.
    """

    architecture: Architecture
    epochs: int | None = None
    repeat: bool = False
    parent: int | None = None


@dataclass(frozen=True, slots=True)
class Started:
    """A trial begins.

    Attributes:
        number: The trial's number, counted from 0.
        architecture: What is trained.
        identity: The space's identity of it.
        epochs: How long it may train.
        seed: The training seed.
        parent: The trial it was derived from, if any.
        repeat: Whether it is trained even if the history holds it.
        at: Seconds since the epoch (of the virtual clock in a simulation).
    """

    number: int
    architecture: Architecture
    identity: str
    epochs: int
    seed: int
    parent: int | None = None
    repeat: bool = False
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Report:
    """What a trial says after an epoch.

    Attributes:
        number: The trial's number.
        epoch: Epochs trained so far, counted from 1.
        metrics: By name; accuracies are fractions, times seconds, ``params`` and ``flops`` counts.
        seconds: Time this epoch took, evaluation included.
        at: When, as in ``Started``.
    """

    number: int
    epoch: int
    metrics: Mapping[str, float]
    seconds: float = 0.0
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Finished:
    """A trial ended with a score: its last report.

    Attributes:
        number: The trial's number.
        stopped: Whether the scheduler ended it early.
        answered_by: The earlier trial whose reports were taken over instead of training.
        at: When, as in ``Started``.
    """

    number: int
    stopped: bool = False
    answered_by: int | None = None
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Failed:
    """A trial ended without a score. Failure is data, never a bad score.

    Attributes:
        number: The trial's number.
        reason: One sentence.
        detail: The traceback, where there is one.
        lost: Whether its worker was lost, which says nothing about the architecture.
        answered_by: The earlier trial that failed in the same way, if this one was not tried.
        at: When, as in ``Started``.
    """

    number: int
    reason: str
    detail: str = ""
    lost: bool = False
    answered_by: int | None = None
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Winner:
    """The architecture chosen on validation, after its one look at the test data.

    Attributes:
        number: The trial it was chosen from.
        metrics: What was measured, such as ``test_accuracy`` (a fraction).
        folder: Where it was exported, relative to the run folder.
        at: When, as in ``Started``.
    """

    number: int
    metrics: Mapping[str, float]
    folder: str
    at: float = 0.0


Outcome = Finished | Failed
Event = Started | Report | Finished | Failed | Winner


@dataclass(frozen=True, slots=True)
class Trial:
    """One architecture being trained and scored: what is known of it so far.

    Attributes:
        started: How it began.
        reports: One per epoch, ascending.
        losses: The objectives after the last report, each to be minimised; empty before the first.
        outcome: How it ended; none while it runs.
        known: How many trials had finished when it started: what its searcher could know.
    """

    started: Started
    reports: tuple[Report, ...] = ()
    losses: tuple[float, ...] = ()
    outcome: Outcome | None = None
    known: int = 0

    @property
    def number(self) -> int:
        """The trial's number."""
        return self.started.number

    @property
    def architecture(self) -> Architecture:
        """What is trained."""
        return self.started.architecture

    @property
    def identity(self) -> str:
        """The space's identity of the architecture."""
        return self.started.identity

    @property
    def epoch(self) -> int:
        """Epochs trained so far."""
        return self.reports[-1].epoch if self.reports else 0

    @property
    def metrics(self) -> Mapping[str, float]:
        """The last report's metrics; empty before the first."""
        return self.reports[-1].metrics if self.reports else {}

    @property
    def loss(self) -> float:
        """The first objective after the last report, to be minimised.

        Raises:
            ValueError: Nothing was reported yet.
        """
        if not self.losses:
            raise ValueError(f"trial {self.number} has not reported yet and has no loss")
        return self.losses[0]

    @property
    def stopped(self) -> bool:
        """Whether the scheduler ended it early."""
        return isinstance(self.outcome, Finished) and self.outcome.stopped

    @property
    def trained(self) -> bool:
        """Whether it was trained itself, rather than answered by an earlier trial."""
        return self.outcome is None or self.outcome.answered_by is None

    @property
    def seconds(self) -> float:
        """Training time spent on it; nothing if it was answered by an earlier trial."""
        return math.fsum(report.seconds for report in self.reports) if self.trained else 0.0


@dataclass(slots=True)
class History:
    """All that happened so far, folded from events in their order.

    Searchers and schedulers read it; only ``apply`` changes it, and only who keeps the journal
    calls that.

    Attributes:
        objectives: What the run optimises; the first one ranks.
        trials: Every trial by number, in the order they started.
        finished: Trials that ended with a score, in the order they ended.
        failed: Trials that ended without one, in the order they ended.
        winner: The winner, once it was tested.
        last: The last event; none before the first.
    """

    objectives: tuple[Objective, ...] = (Objective(),)
    trials: dict[int, Trial] = field(default_factory=dict)
    finished: list[Trial] = field(default_factory=list)
    failed: list[Trial] = field(default_factory=list)
    winner: Winner | None = None
    last: Event | None = None
    _running: dict[int, None] = field(default_factory=dict)
    _same: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    _at_epoch: defaultdict[int, list[float]] = field(default_factory=lambda: defaultdict(list))

    @property
    def running(self) -> Sequence[Trial]:
        """Trials that have not ended, in the order they started."""
        return [self.trials[number] for number in self._running]

    @property
    def best(self) -> Trial | None:
        """The trial with the least loss among those trained the longest; the earliest of equals.

        A trial is compared only with trials of the same fidelity: three epochs of luck do not
        beat thirty of work.
        """
        longest = max((trial.epoch for trial in self.finished), default=0)
        rivals = (trial for trial in self.finished if trial.epoch == longest)
        return min(rivals, key=lambda trial: (trial.loss, trial.number), default=None)

    def same(self, identity: str) -> Iterable[Trial]:
        """Return the trials of one identity, in the order they started."""
        return (self.trials[number] for number in self._same.get(identity, ()))

    def losses_at(self, epoch: int) -> Sequence[float]:
        """Return the first objective of every trial trained to ``epoch``, in order of arrival."""
        return self._at_epoch.get(epoch, [])

    def apply(self, event: Event) -> None:
        """Fold in one event.

        Raises:
            JournalError: It does not fit what happened before.
        """
        match event:
            case Started():
                self._start(event)
            case Report():
                self._report(event)
            case Finished() | Failed():
                self._end(event)
            case Winner():
                self.winner = event
        self.last = event

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
        self._at_epoch[event.epoch].append(losses[0])

    def _end(self, event: Outcome) -> None:
        trial = self._live(event.number)
        if isinstance(event, Finished):
            trial = self._finish(trial, event)
            self.finished.append(trial)
        else:
            trial = replace(trial, outcome=event)
            self.failed.append(trial)
        self.trials[event.number] = trial
        del self._running[event.number]

    def _finish(self, trial: Trial, event: Finished) -> Trial:
        if event.answered_by is not None:
            source = self.trials[event.answered_by]
            return replace(trial, reports=source.reports, losses=source.losses, outcome=event)
        if not trial.reports:
            raise JournalError(f"trial {event.number} finished without a report")
        return replace(trial, outcome=event)

    def _live(self, number: int) -> Trial:
        if number not in self._running:
            raise JournalError(f"trial {number} is not running: it never started or has ended")
        return self.trials[number]
