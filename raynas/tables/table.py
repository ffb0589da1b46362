"""What a table is: trainings that were done once and recorded, to be asked instead of training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from raynas.space import Architecture, Space


@dataclass(frozen=True, slots=True)
class Recorded:
    """One look at a recorded training: what a trial says after an epoch.

    Attributes:
        epoch: Epochs trained by then, counted from 1.
        metrics: By name, as a task reports them (accuracies are fractions); nothing about the
            test data, for searchers see all of it.
        seconds: Time since the look before it, or since the training began.
        errors: By metric, its standard error by the sampling of the validation examples, as in
            ``Report``; none where the score is the truth.
    """

    epoch: int
    metrics: Mapping[str, float]
    seconds: float
    errors: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scores:
    """How good an architecture is in truth, which no searcher is told.

    Attributes:
        valid: Validation accuracy (a fraction) after full training, the mean over all recorded.
        test: Test accuracy, likewise.
    """

    valid: float
    test: float


@runtime_checkable
class Table(Protocol):
    """Answers for trainings.

    Making one of your own takes a short class with these four; ``raynas bench --table`` finds it
    by ``package.module:Class`` or ``file.py:Class``.
    """

    @property
    def space(self) -> Space:
        """Where its architectures live."""

    @property
    def lengths(self) -> Sequence[int]:
        """The trainings that were recorded, by their epochs, ascending; the last is the full one.

        Each is a training of its own, with a schedule that ends at its last epoch: going on from
        a short one to a long one means to begin anew.
        """

    def answer(self, architecture: Architecture, epochs: int, draw: int) -> Sequence[Recorded]:
        """Return what a training of ``epochs`` says, in the order of its epochs.

        Args:
            architecture: What is trained.
            epochs: How long; the last look is the one after this many.
            draw: Which training of it. Consecutive numbers give different ones, as long as there
                are any; then the same again.

        Raises:
            TrialError: The training failed, or there is none of this architecture.
        """

    def scores(self, architecture: Architecture) -> Scores:
        """Return what the architecture reaches in truth."""

    @property
    def best(self) -> float:
        """The highest test accuracy of all, from which regret counts."""
