"""The interface of a goal: what a network learns from its inputs and targets.

This module can be imported without torch; methods that compute import it when they are called.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from raynas.trees import first

if TYPE_CHECKING:
    from torch import Tensor


class Goal(ABC):
    """A loss, the metrics of a network, and which of them is the objective.

    A goal of your own is a subclass with ``loss``, and usually ``metrics`` and ``objective``. Its
    objects must not change. ``outputs`` are what ``forward`` returns, ``targets`` what the data
    contains for a batch: tensors, or lists and dictionaries of tensors. The losses and metrics of
    a trial are reported with the prefix ``train_`` or ``val_``, those of the winner with
    ``test_``.

    Attributes:
        objective: The metric by which networks are compared if the user chooses none, with its
            direction, such as ``"accuracy:max"``; without the prefix.
    """

    objective: str = "loss:min"

    @abstractmethod
    def loss(self, outputs: Any, targets: Any) -> Tensor:
        """Return the mean loss of a batch, a scalar tensor with a gradient.

        Raises:
            SpaceError: The outputs do not fit the goal.
        """

    def losses(self, outputs: Any, targets: Any) -> Tensor | None:  # noqa: ARG002
        """Return the loss of each example, ``[batch]``; none if it is not known.

        It is used for the standard error of the validation loss.
        """
        return None

    def weight(self, targets: Any) -> Tensor | int:
        """Return how much the mean loss of a batch counts in that of all batches.

        By default this is the number of examples; a goal whose mean goes over parts of examples,
        such as tokens, returns the number of these.
        """
        return len(first(targets))

    def metrics(self) -> Mapping[str, Any]:
        """Return the metrics by name: objects, or functions.

        An object, a ``Metric``, is copied for each use; the copy is updated with ``predictions``
        and targets of every batch. A function is called as in ``OverAll``. The metric ``loss`` is
        always reported, so it need not be here.
        """
        return {}

    def predictions(self, outputs: Any) -> Any:
        """Return the part of the outputs that metrics and the exported network use.

        Outputs for the loss only, such as those of an auxiliary head, are left out here.
        """
        return outputs

    @property
    def brief(self) -> Mapping[str, Any]:
        """What ``build`` may ask for by name, such as ``outputs``."""
        return {}

    def fitted(self, targets: Sequence[Any]) -> tuple[Goal, Sequence[Any]]:
        """Return the goal and the targets, adapted to each other.

        Args:
            targets: The targets of training, validation and test data.

        Raises:
            DataError: Targets are of the wrong kind.
        """
        return self, targets

    def for_training(self, label_smoothing: float) -> Goal:  # noqa: ARG002
        """Return the goal whose ``loss`` is used in training; the recipe's options change it."""
        return self
