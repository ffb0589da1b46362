"""Classification: one class, or several labels, for each example."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from raynas.errors import DataError, kind_of
from raynas.goals.goal import Goal
from raynas.goals.metric import Share
from raynas.goals.outputs import main_output, require_shape

if TYPE_CHECKING:
    from torch import Tensor

_SHOWN: Final = 4  # the most labels in a message
_LOG = logging.getLogger("raynas")


@dataclass(frozen=True)
class Classification(Goal):
    """One class for each example: cross-entropy (nats) and accuracy (a fraction).

    The network returns logits ``[batch, classes]``; targets are labels ``[batch]`` int64.

    Attributes:
        classes: How many classes there are; 0 to count them in the data.
        names: The names of the classes, by label. If there are none, and the labels are not
            0, 1, 2, … without a gap, the classes get new numbers, and the old label of a class is
            its name.
        extra: More metrics by name, of logits and labels: ``torchmetrics`` objects, or functions.
        objective: As in ``Goal``.
        label_smoothing: The share of the target that is spread over all classes.
    """

    classes: int = 0
    names: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    objective: str = "accuracy:max"
    label_smoothing: float = 0.0

    def losses(self, outputs: Any, targets: Tensor) -> Tensor:
        """Return the cross-entropy of each example."""
        return self._entropy(outputs, targets, "none")

    def loss(self, outputs: Any, targets: Tensor) -> Tensor:
        """Return the mean cross-entropy."""
        return self._entropy(outputs, targets, "mean")

    def _entropy(self, outputs: Any, targets: Tensor, reduction: str) -> Tensor:
        from torch.nn import functional  # noqa: PLC0415 - deciding must not load torch

        logits = require_shape(
            self.predictions(outputs),
            (len(targets), self.classes),
            "one logit per class for every example",
        )
        return functional.cross_entropy(
            logits, targets, reduction=reduction, label_smoothing=self.label_smoothing
        )

    def metrics(self) -> Mapping[str, Any]:
        """Return the accuracy and the extra metrics."""
        return {"accuracy": Share(_right), **self.extra}

    def predictions(self, outputs: Any) -> Tensor:
        """Return the logits."""
        return main_output(outputs)

    @property
    def brief(self) -> Mapping[str, Any]:
        """``classes`` and, because all goals have it, ``outputs``: the number of logits."""
        return {"classes": self.classes, "outputs": self.classes}

    def fitted(self, targets: Sequence[Any]) -> tuple[Classification, Sequence[Any]]:
        """Count the classes; number the labels from 0 without a gap."""
        for labels in targets:
            _check_labels(labels)
        names: Sequence[str] = self.names
        if not names and not self.classes:
            targets, names = _numbered(targets)
        targets = [np.asarray(labels, np.int64) for labels in targets]
        largest = max(int(labels.max()) for labels in targets)
        classes = self.classes or max(len(names), largest + 1)
        if names and len(names) != classes:
            raise DataError(
                f"every class must have a name: got {len(names)} names for {classes} classes "
                "(labels are counted from 0)"
            )
        if largest >= classes:
            raise DataError(f"labels must be below classes={classes}: got {largest}")
        if classes < 2:
            raise DataError("there must be two classes or more: all examples have the same label")
        return replace(self, classes=classes, names=tuple(map(str, names))), targets

    def for_training(self, label_smoothing: float) -> Classification:
        """Return the goal with the label smoothing of the recipe."""
        return replace(self, label_smoothing=label_smoothing) if label_smoothing else self


def _right(logits: Tensor, labels: Tensor) -> Tensor:
    return logits.argmax(1) == labels


def _check_labels(labels: Any) -> None:
    if not (isinstance(labels, np.ndarray) and labels.ndim == 1 and labels.dtype.kind in "iu"):
        raise DataError(
            "for classification, targets must be whole numbers [examples]: "
            f"got {kind_of(labels)}; for real numbers, set the goal Regression()"
        )


def _numbered(targets: Sequence[Any]) -> tuple[Sequence[Any], list[str]]:
    """Number the labels 0, 1, 2, … without a gap; return the old labels if they were others."""
    found = np.unique(np.concatenate([np.unique(labels) for labels in targets]))
    if len(found) == found[-1] + 1:
        return targets, []
    shown = [*map(str, found[:_SHOWN])]
    if len(found) > _SHOWN:
        shown += ["…", str(found[-1])] if len(found) > _SHOWN + 1 else [str(found[-1])]
    _LOG.info(
        "the labels are not 0, 1, 2, … without a gap (they are %s): the classes are numbered from "
        "0 in this order, and the name of a class is its label",
        ", ".join(shown),
    )
    numbered: list[NDArray[np.int64]] = [
        np.searchsorted(found, labels).astype(np.int64) for labels in targets
    ]
    return numbered, [*map(str, found)]


@dataclass(frozen=True)
class MultiLabel(Goal):
    """Several labels for each example: binary cross-entropy (nats per label).

    The network returns logits ``[batch, labels]``; targets are 0 or 1, ``[batch, labels]``.

    Attributes:
        labels: How many labels there are; 0 to count them in the data.
        names: The names of the labels; may be empty.
        extra: More metrics by name, of logits and targets: ``torchmetrics`` objects, or functions.
        objective: As in ``Goal``. ``accuracy`` is the share of right labels, ``exact`` the share
            of examples of which every label is right.
    """

    labels: int = 0
    names: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    objective: str = "loss:min"

    def losses(self, outputs: Any, targets: Tensor) -> Tensor:
        """Return the mean binary cross-entropy of each example's labels."""
        from torch.nn import functional  # noqa: PLC0415 - deciding must not load torch

        logits = require_shape(
            self.predictions(outputs), targets.shape, "one logit per label for every example"
        )
        each = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
        return each.mean(1)

    def loss(self, outputs: Any, targets: Tensor) -> Tensor:
        """Return the mean binary cross-entropy."""
        return self.losses(outputs, targets).mean()

    def metrics(self) -> Mapping[str, Any]:
        """Return ``accuracy``, ``exact`` and the extra metrics."""
        return {
            "accuracy": Share(_right_labels),
            "exact": Share(lambda logits, targets: _right_labels(logits, targets).all(1)),
            **self.extra,
        }

    def predictions(self, outputs: Any) -> Tensor:
        """Return the logits."""
        return main_output(outputs)

    @property
    def brief(self) -> Mapping[str, Any]:
        """``outputs``, the number of labels."""
        return {"outputs": self.labels}

    def fitted(self, targets: Sequence[Any]) -> tuple[MultiLabel, Sequence[Any]]:
        """Count the labels; make the targets float32."""
        for part in targets:
            if np.ndim(part) != 2 or not np.isin(part, (0, 1)).all():
                raise DataError(
                    "for several labels, targets must be 0 or 1, [examples, labels]: "
                    f"got {kind_of(part)}"
                )
        count = np.shape(targets[0])[1]
        if self.names and len(self.names) != count:
            raise DataError(
                f"every label must have a name: got {len(self.names)} names for {count} labels"
            )
        return replace(self, labels=count), [np.asarray(part, np.float32) for part in targets]


def _right_labels(logits: Tensor, targets: Tensor) -> Tensor:
    return (logits > 0) == (targets > 0.5)
