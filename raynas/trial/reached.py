"""The trials that reported after one epoch."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from raynas.trial.events import Objective
from raynas.trial.trial import Losses, Trial


@dataclass(frozen=True, slots=True)
class Reporters:
    """Who reported after one epoch, in the order of the reports; they are only added to.

    Attributes:
        numbers: Trial numbers.
        losses: Their losses after this epoch, all objectives of a trial after one another.
    """

    numbers: array[int] = field(default_factory=lambda: array("q"))
    losses: array[float] = field(default_factory=lambda: array("d"))

    def add(self, number: int, losses: Losses) -> None:
        """Add a report."""
        self.numbers.append(number)
        self.losses.extend(losses)


@dataclass(frozen=True, slots=True, eq=False)
class Reached(Mapping[int, Losses]):
    """The losses of the trials that reported after one epoch, by number, in order of reports.

    Attributes:
        epoch: The epoch.
        reporters: Who they are.
        trials: All trials, by number.
        objectives: What is optimised.
    """

    epoch: int
    reporters: Reporters
    trials: Mapping[int, Trial]
    objectives: tuple[Objective, ...]

    def since(self, count: int) -> Iterator[tuple[int, Losses]]:
        """Return numbers and losses in order of reports, without the first ``count`` trials."""
        width, losses = len(self.objectives), self.reporters.losses
        for at in range(max(count, 0), len(self)):
            yield self.reporters.numbers[at], tuple(losses[at * width : (at + 1) * width])

    def __getitem__(self, number: int) -> Losses:
        """Return the losses of a trial after this epoch."""
        trial = self.trials[number]
        if trial.trained and trial.epoch == self.epoch and trial.losses:
            return trial.losses
        report = trial.reports.after(self.epoch) if trial.trained else None
        if report is None:
            raise KeyError(number)
        return tuple(objective.loss(report.metrics) for objective in self.objectives)

    def __contains__(self, number: object) -> bool:
        """Return whether a trial has reported after this epoch."""
        trial = self.trials.get(number) if isinstance(number, int) else None
        return trial is not None and trial.trained and trial.reports.after(self.epoch) is not None

    def __iter__(self) -> Iterator[int]:
        """Return the numbers in order of reports."""
        return iter(self.reporters.numbers)

    def __len__(self) -> int:
        """Return how many trials there are."""
        return len(self.reporters.numbers)
