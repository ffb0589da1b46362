"""The interface of a table: recorded trainings, which replace real trainings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from raynas.space import Architecture, Space


@dataclass(frozen=True, slots=True)
class Recorded:
    """One report of a recorded training.

    Attributes:
        epoch: Epochs trained so far, counted from 1.
        metrics: By name, as a task reports them (accuracies are fractions); without test results,
            because searchers see all metrics.
        seconds: The time since the report before it, or since the training began.
        errors: By metric: its standard error from the sampling of the validation examples, as in
            ``Report``; empty if the score is exact.
    """

    epoch: int
    metrics: Mapping[str, float]
    seconds: float
    errors: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scores:
    """The true scores of an architecture, which searchers do not see.

    Attributes:
        valid: The mean of the objective on the validation data over all recorded full trainings;
            accuracies are fractions. NaN if it is unknown.
        test: Likewise on the test data.
    """

    valid: float
    test: float


@runtime_checkable
class Table(Protocol):
    """Recorded trainings of the architectures of a space.

    To define a table, write a short class with these members; ``raynas bench --table`` loads it
    by ``package.module:Class`` or ``file.py:Class``.

    These members are optional:

    - ``objective``: The metric that searchers optimise, such as ``"val_error:min"``;
      ``val_accuracy`` if there is none. ``scores`` and ``best`` are of this metric.
    - ``features(architecture)``: Numbers that are known without training, for searchers that use
      features.
    """

    @property
    def space(self) -> Space:
        """The search space."""

    @property
    def lengths(self) -> Sequence[int]:
        """The numbers of epochs of the recorded trainings, ascending; the last is full training.

        Each is a separate training, whose learning rate schedule ends at its last epoch: a short
        training cannot be continued to a long one.
        """

    def answer(self, architecture: Architecture, epochs: int, draw: int) -> Sequence[Recorded]:
        """Return the reports of a training of ``epochs``, in the order of its epochs.

        Args:
            architecture: The trained architecture.
            epochs: The length of the training; the last report is of this epoch.
            draw: Which of its trainings. Consecutive numbers give different trainings; after the
                last one, the first one follows again.

        Raises:
            TrialError: The training failed, or no training of this architecture is recorded.
        """

    def scores(self, architecture: Architecture) -> Scores:
        """Return the true scores of the architecture."""

    @property
    def best(self) -> float:
        """The best test score of all architectures; regret is the distance from it."""
