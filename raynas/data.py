"""A task's data as arrays: what tasks hand over and training takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from raynas.errors import DataError


@dataclass(frozen=True, slots=True)
class Split:
    """Examples and their labels.

    Attributes:
        inputs: ``[examples, channels, height, width]`` (images; uint8 or float32) or
            ``[examples, features]`` (float32).
        labels: ``[examples]`` int64.
    """

    inputs: NDArray[Any]
    labels: NDArray[np.int64]

    def __post_init__(self) -> None:
        """Check that every example has its label."""
        if len(self.inputs) != len(self.labels) or not len(self.inputs):
            raise DataError(
                "a split needs as many labels as examples, at least one: "
                f"got {len(self.inputs)} examples and {len(self.labels)} labels"
            )

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self.labels)

    def take(self, rows: NDArray[np.int64]) -> Split:
        """Return the examples at ``rows``."""
        return Split(self.inputs[rows], self.labels[rows])


@dataclass(frozen=True, slots=True)
class Data:
    """What a search sees (``train``, ``valid``) and what is touched once, for the winner.

    Attributes:
        train: What weights are fitted to.
        valid: What architectures are chosen on.
        test: What the winner is measured on.
        classes: How many labels there are.
        mean: Per channel (or feature), of the training inputs, in their units.
        std: Likewise.
    """

    train: Split
    valid: Split
    test: Split
    classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one example, such as (channels, height, width)."""
        return tuple(self.train.inputs.shape[1:])
