"""The interface of a learner: what an epoch of learning is, and its state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import nn

from raynas.training.batches import Batches


@dataclass(frozen=True, slots=True)
class Epoch:
    """The results of one epoch.

    Attributes:
        epoch: Epochs trained so far, counted from 1.
        metrics: Numbers by name. The loop of raynas reports ``train_loss`` (with augmentation and
            label smoothing, averaged over the epoch), ``lr`` (of its last step) and, if there is
            validation data, ``val_loss`` and the metrics of the goal, such as ``val_accuracy``
            (a fraction).
        seconds: Its duration, validation included.
        errors: Standard errors of the validation metrics, as in ``raynas.trial.Report``.
    """

    epoch: int
    metrics: Mapping[str, float]
    seconds: float
    errors: Mapping[str, float] = field(default_factory=dict)


class Learner(Protocol):
    """A child in training, by the loop of raynas or by a task's own.

    Attributes:
        epoch: Epochs trained so far; set it to continue the schedule of another training.
        notices: What people should know about the training, each a sentence without its subject,
            which is the trial. The caller removes what it has told.
    """

    epoch: int
    notices: list[str]

    @property
    def child(self) -> nn.Module:
        """The network."""
        ...

    def step(self) -> Epoch:
        """Train for one epoch, then score the child.

        Raises:
            TrialError: The training failed.
        """
        ...

    def state(self) -> dict[str, Any]:
        """Return the state for ``load_state``; the next step changes its tensors, so save it."""
        ...

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Continue from a state of the same trial."""
        ...

    def inherit(self, state: Mapping[str, Any]) -> float:
        """Continue from a state of another trial, as far as it fits.

        Returns:
            The share of the child's parameters that were inherited.
        """
        ...

    def test(self, examples: Callable[[], Batches]) -> dict[str, float]:
        """Return the metrics of the trained child on data that were not used before.

        Args:
            examples: Returns the test data.
        """
        ...

    def close(self) -> None:
        """End the training; what it holds is released."""
        ...
