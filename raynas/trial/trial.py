"""The state of one trial, and the working time of one process."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from raynas.space.architecture import Architecture
from raynas.trial.constraint import Constraint
from raynas.trial.events import (
    Failed,
    Finished,
    Objective,
    Opened,
    Outcome,
    Remedy,
    Report,
    Retried,
    Started,
)
from raynas.trial.reports import Reports

Losses = tuple[float, ...]
"""The objectives in their order, each to be minimised."""

Rank = tuple[int, float, Losses, int]
"""What trials are ordered by, as ``Trial.rank`` says."""

_NONE: Final = Reports()


@dataclass(frozen=True, slots=True)
class Session:
    """The time in which one process searched with one number of slots.

    The winner's training is not part of it.

    Attributes:
        opened: Its beginning.
        until: The time of its last event.
    """

    opened: Opened
    until: float

    @property
    def seconds(self) -> float:
        """Its duration; never negative, even if the machine's clock was set back."""
        return max(self.until - self.opened.at, 0.0)

    @property
    def gpu_seconds(self) -> float:
        """Its duration times the number of GPUs that were held."""
        return self.seconds * self.opened.slots * self.opened.gpus


@dataclass(frozen=True, slots=True)
class Trial:
    """One architecture that is trained and scored, as known so far.

    Attributes:
        started: The event with which it began.
        reports: One per epoch, ascending.
        losses: The objectives after the last report, each to be minimised; empty before the first.
        outcome: How it ended; none while it runs.
        known: How many trials had finished when it started; its searcher could know these.
        retries: How it failed before it was tried again, in that order.
        violation: By how much the last report breaks the run's constraints; 0 if it keeps them.
    """

    started: Started
    reports: Reports = field(default_factory=lambda: _NONE)
    losses: Losses = ()
    outcome: Outcome | None = None
    known: int = 0
    retries: tuple[Retried, ...] = ()
    violation: float = 0.0

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
        """Epochs trained so far, including those of inherited weights."""
        return self.reports.epoch or self.started.begin

    @property
    def metrics(self) -> Mapping[str, float]:
        """The last report's metrics; empty before the first."""
        return self.reports[-1].metrics if self.reports else {}

    @property
    def loss(self) -> float:
        """The first objective after the last report, to be minimised.

        Raises:
            ValueError: The trial has not reported yet.
        """
        if not self.losses:
            raise ValueError(f"trial {self.number} has not reported yet and has no loss")
        return self.losses[0]

    @property
    def rank(self) -> Rank:
        """What trials with a score are ordered by, the best first.

        The longest training is first, then what breaks the constraints of the run least, then the
        lowest losses, as for ``Score``. Of equal trials, the one that started first is first.
        """
        return -self.epoch, self.violation, self.losses, self.number

    @property
    def stopped(self) -> bool:
        """Whether the scheduler or a limit of the run ended it early."""
        return isinstance(self.outcome, Finished) and self.outcome.stopped

    @property
    def resumable(self) -> bool:
        """Whether it can be resumed after it was stopped."""
        return self.stopped and self.trained

    @property
    def cut(self) -> bool:
        """Whether a limit of the run, not the scheduler, stopped it."""
        return isinstance(self.outcome, Finished) and bool(self.outcome.limit)

    @property
    def infeasible(self) -> bool:
        """Whether its architecture is to blame for its failure."""
        return isinstance(self.outcome, Failed) and self.outcome.cause == "architecture"

    @property
    def refused(self) -> bool:
        """Whether it was refused before its training, because it breaks a constraint."""
        return isinstance(self.outcome, Failed) and self.outcome.refused

    @property
    def trained(self) -> bool:
        """Whether it was trained itself, neither answered by an earlier trial nor refused."""
        return self.outcome is None or (self.outcome.answered_by is None and not self.refused)

    @property
    def donor(self) -> int:
        """The number of the trial with these weights: itself, or the one that answered it."""
        answered_by = None if self.outcome is None else self.outcome.answered_by
        return self.number if answered_by is None else answered_by

    def __repr__(self) -> str:
        """Show the number, how it ended, the last metrics and the architecture, in one line."""
        ended = "running" if self.outcome is None else type(self.outcome).__name__.lower()
        parts = [
            f"Trial {self.number} {'stopped early' if self.stopped else ended}",
            f"epochs {self.epoch}/{self.started.epochs}",
            *(f"{name} {value:.4g}" for name, value in self.metrics.items()),
            self.architecture.to_json(),
        ]
        return f"<{', '.join(parts)}>"

    def tries(self, remedy: Remedy) -> int:
        """Return how many times it was tried again with this remedy."""
        return sum(retry.remedy == remedy for retry in self.retries)

    @property
    def spells(self) -> Sequence[Report | Retried | Failed]:
        """The events that end a period of work on it and hold its duration.

        Empty if it was answered by an earlier trial.
        """
        return (*self.reports, *self.lost) if self.trained else ()

    @property
    def lost(self) -> Sequence[Retried | Failed]:
        """The events that end a period of work without a report; each holds its duration.

        Empty if it was answered by an earlier trial.
        """
        if not self.trained:
            return ()
        return (*self.retries, self.outcome) if isinstance(self.outcome, Failed) else self.retries

    @property
    def seconds(self) -> float:
        """The time spent on its training, including lost time."""
        if not self.trained:
            return 0.0
        return math.fsum((*self.reports.seconds, *(one.seconds for one in self.lost)))

    def having(
        self,
        reports: Reports,
        losses: Losses,
        outcome: Outcome | None = None,
        *,
        violation: float | None = None,
    ) -> Trial:
        """Return the trial with these reports, their losses, this outcome and this violation.

        Replays call it for most events; it takes a quarter of the time of ``dataclasses.replace``.
        """
        broken = self.violation if violation is None else violation
        return Trial(self.started, reports, losses, outcome, self.known, self.retries, broken)

    def curve(self, objective: Objective) -> Sequence[float]:
        """Return an objective, as a loss, after each report."""
        name = objective.metric
        return [objective.loss({name: value}) for value in self.reports.values(name)]

    def violations(self, constraints: Sequence[Constraint]) -> Sequence[float]:
        """Return by how much each report breaks constraints, as ``violation`` says."""
        columns = [self.reports.values(one.metric) for one in constraints]
        parts = [
            [one.excess({one.metric: value}) for value in column]
            for one, column in zip(constraints, columns, strict=True)
        ]
        return [*map(math.fsum, zip(*parts, strict=True))] if parts else [0.0] * len(self.reports)
