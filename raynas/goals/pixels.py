"""A class for each pixel: semantic segmentation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from raynas.errors import DataError, kind_of
from raynas.goals.goal import Goal
from raynas.goals.metric import Share
from raynas.goals.outputs import main_output, require_shape

if TYPE_CHECKING:
    from torch import Tensor

IGNORED: Final = 255
"""The target of a pixel that is not scored, as in PASCAL VOC and Cityscapes."""


@dataclass(frozen=True)
class Pixels(Goal):
    """A class for each pixel: cross-entropy (nats per pixel), mean intersection over union.

    The network returns logits ``[batch, classes, height, width]``; targets are
    ``[batch, height, width]`` int64, and ``IGNORED`` where nothing is scored.

    Attributes:
        classes: How many classes there are; 0 to count them in the data.
        names: The names of the classes; may be empty.
        extra: More metrics by name, of logits and targets: ``torchmetrics`` objects, or functions.
        objective: As in ``Goal``. ``miou`` is the mean over the classes of intersection over
            union, over all pixels of all examples; ``accuracy`` is the share of right pixels.
    """

    classes: int = 0
    names: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    objective: str = "miou:max"

    def loss(self, outputs: Any, targets: Tensor) -> Tensor:
        """Return the mean cross-entropy of the pixels that are scored."""
        from torch.nn import functional  # noqa: PLC0415 - deciding must not load torch

        shape = (len(targets), self.classes, *targets.shape[1:])
        logits = require_shape(self.predictions(outputs), shape, "one logit per class and pixel")
        return functional.cross_entropy(logits, targets, ignore_index=IGNORED)

    def weight(self, targets: Tensor) -> Tensor:
        """Return the number of pixels that are scored."""
        return _scored(targets).sum()

    def metrics(self) -> Mapping[str, Any]:
        """Return ``miou``, ``accuracy`` and the extra metrics."""
        own: dict[str, Any] = {
            "miou": Overlap(self.classes),
            "accuracy": Share(_right, _scored),
        }
        return {**own, **self.extra}

    def predictions(self, outputs: Any) -> Tensor:
        """Return the logits; torchvision's networks call them ``out``."""
        return main_output(outputs, "out" if "out" in _keys(outputs) else "logits")

    @property
    def brief(self) -> Mapping[str, Any]:
        """``classes`` and, because all goals have it, ``outputs``: the number of logits."""
        return {"classes": self.classes, "outputs": self.classes}

    def fitted(self, targets: Sequence[Any]) -> tuple[Pixels, Sequence[Any]]:
        """Count the classes; make the targets int64."""
        for part in targets:
            if np.ndim(part) != 3 or np.asarray(part).dtype.kind not in "iu":
                raise DataError(
                    f"targets must be whole numbers [examples, height, width]: got {kind_of(part)}"
                )
        arrays = [np.asarray(part, np.int64) for part in targets]
        largest = max(int(np.max(part[part != IGNORED], initial=0)) for part in arrays)
        classes = self.classes or max(len(self.names), largest + 1)
        if largest >= classes:
            raise DataError(f"targets must be below classes={classes}: got {largest}")
        return replace(self, classes=classes), arrays


def _keys(outputs: Any) -> Any:
    return outputs if isinstance(outputs, Mapping) else ()


def _right(logits: Tensor, targets: Tensor) -> Tensor:
    return logits.argmax(1) == targets


def _scored(targets: Tensor) -> Tensor:
    return targets != IGNORED


class Overlap:
    """The mean over the classes of intersection over union, without those that never occur."""

    def __init__(self, classes: int) -> None:
        """Begin without examples."""
        self._classes = classes
        self._counts: Any = 0

    def update(self, predictions: Tensor, targets: Tensor) -> None:
        """Add a batch."""
        import torch  # noqa: PLC0415 - deciding must not load torch

        scored = targets != IGNORED
        pairs = targets[scored] * self._classes + predictions.argmax(1)[scored]
        size = self._classes**2
        counts = torch.bincount(pairs, minlength=size).reshape(self._classes, self._classes)
        self._counts = self._counts + counts

    def compute(self) -> float:
        """Return the mean."""
        both = self._counts.diagonal().double()
        either = self._counts.sum(0) + self._counts.sum(1) - both
        there = either > 0
        return float((both[there] / either[there]).mean())
