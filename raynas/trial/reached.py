"""The trials that reported after one epoch."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from raynas.trial.constraint import Constraint, violation
from raynas.trial.events import Objective
from raynas.trial.score import Score
from raynas.trial.trial import Trial


@dataclass(frozen=True, slots=True)
class Reporters:
    """Who reported after one epoch, in the order of the reports; they are only added to.

    Attributes:
        numbers: Trial numbers.
        values: Their scores after this epoch: of each trial its violation and all its losses.
    """

    numbers: array[int] = field(default_factory=lambda: array("q"))
    values: array[float] = field(default_factory=lambda: array("d"))

    def add(self, number: int, score: Score) -> None:
        """Add a report."""
        self.numbers.append(number)
        self.values.append(score.violation)
        self.values.extend(score.losses)


@dataclass(frozen=True, slots=True, eq=False)
class Reached(Mapping[int, Score]):
    """The scores of the trials that reported after one epoch, by number, in order of reports.

    Attributes:
        epoch: The epoch.
        reporters: Who they are.
        trials: All trials, by number.
        objectives: What is optimised.
        constraints: The limits that metrics must keep.
    """

    epoch: int
    reporters: Reporters
    trials: Mapping[int, Trial]
    objectives: tuple[Objective, ...]
    constraints: tuple[Constraint, ...] = ()

    def since(self, count: int) -> Iterator[tuple[int, Score]]:
        """Return numbers and scores in order of reports, without the first ``count`` trials."""
        width, values = 1 + len(self.objectives), self.reporters.values
        for at in range(max(count, 0), len(self)):
            broken, *losses = values[at * width : (at + 1) * width]
            yield self.reporters.numbers[at], Score(broken, tuple(losses))

    def __getitem__(self, number: int) -> Score:
        """Return the score of a trial after this epoch."""
        trial = self.trials[number]
        if trial.trained and trial.epoch == self.epoch and trial.losses:
            return Score(trial.violation, trial.losses)
        report = trial.reports.after(self.epoch) if trial.trained else None
        if report is None:
            raise KeyError(number)
        losses = tuple(objective.loss(report.metrics) for objective in self.objectives)
        return Score(violation(self.constraints, report.metrics), losses)

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
