"""Examples and their labels."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from raynas.data.convert import converted
from raynas.errors import DataError, kind_of

_CHUNK = 1024  # examples per step, so that the statistics of a large set need little memory
_DTYPES: Final = ("uint8", "float32", "int64")


@dataclass(frozen=True, slots=True, repr=False)
class Split:
    """Examples and their labels.

    Attributes:
        inputs: ``[examples, channels, height, width]`` (images; uint8 or float32),
            ``[examples, features]`` (float32) or ``[examples, length]`` (ids, such as those of
            tokens; int64).
        labels: ``[examples]`` int64.
    """

    inputs: NDArray[Any]
    labels: NDArray[np.int64]

    def __post_init__(self) -> None:
        """Check the kind of the arrays, and that every example has a label."""
        kinds = [str(getattr(array, "dtype", "")) for array in (self.inputs, self.labels)]
        if kinds[0] not in _DTYPES or kinds[1] != "int64" or np.ndim(self.inputs) not in {2, 4}:
            raise DataError(
                f"a split must hold inputs of {', '.join(_DTYPES)} and labels of int64: got "
                f"{kind_of(self.inputs)} and {kind_of(self.labels)}; Split.of(inputs, labels) "
                "converts them"
            )
        if len(self.inputs) != len(self.labels) or not len(self.inputs):
            raise DataError(
                "a split must have one label for each example, and at least one example: "
                f"got {len(self.inputs)} examples and {len(self.labels)} labels"
            )

    @classmethod
    def of(cls, inputs: ArrayLike, labels: ArrayLike) -> Split:
        """Convert arrays of any number type to the form that training needs.

        Args:
            inputs: ``[examples, channels, height, width]``, ``[examples, height, width]`` (grey
                images), ``[examples, features]`` or ``[examples, length]`` (ids). In two
                dimensions, whole numbers are ids, such as those of tokens: they become int64 and
                are never normalised. uint8, booleans and real numbers are measurements and become
                float32. Images of uint8 stay uint8, other images become float32 with the same
                values.
            labels: ``[examples]`` whole numbers, none below 0.

        Raises:
            DataError: The arrays have another shape, the channels are the last axis, or a value is
                not a finite number; the message names the first row.
        """
        return cls(*converted(inputs, labels))

    def __repr__(self) -> str:
        """Return the types and shapes of the split, without its contents."""
        return f"Split({kind_of(self.inputs)}, {kind_of(self.labels)})"

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self.labels)

    @property
    def ids(self) -> bool:
        """Whether the inputs are ids, which the network gets unchanged."""
        return self.inputs.dtype.kind == "i"

    @property
    def digest(self) -> str:
        """A hash over all inputs and labels in their order, to recognise the split."""
        digest = hashlib.blake2b(digest_size=8)
        for array in (self.inputs, self.labels):
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def take(self, rows: NDArray[np.int64]) -> Split:
        """Return the examples at ``rows``."""
        return Split(self.inputs[rows], self.labels[rows])

    def divide(self, fraction: float, rng: np.random.Generator) -> tuple[Split, Split]:
        """Return two parts; the second one holds ``fraction`` of the examples of every class.

        The share of each class is rounded up or down, and the share of all examples is rounded
        down; both parts keep the order of the examples.

        Raises:
            DataError: One of the parts would be empty.
        """
        rows = rng.permutation(len(self))
        rows = rows[np.argsort(self.labels[rows], kind="stable")]
        # Rows are sorted by class. An example is taken when the running count times the fraction
        # passes the next whole number.
        taken = np.diff(np.floor(np.arange(len(self) + 1) * fraction)) > 0
        if taken.all() or not taken.any():
            raise DataError(
                "a fraction to set aside must leave examples in both parts: "
                f"got {fraction} of {len(self)} examples"
            )
        return self.take(np.sort(rows[~taken])), self.take(np.sort(rows[taken]))

    def moments(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return mean and standard deviation per channel or feature; a deviation of 0 becomes 1.

        For ids, 0 and 1 are returned, which change nothing.
        """
        if self.ids:
            return (0.0,) * self.inputs.shape[1], (1.0,) * self.inputs.shape[1]
        axes = (0, *range(2, self.inputs.ndim))
        count = self.inputs.size / self.inputs.shape[1]
        mean = sum(part.sum(axes, np.float64) for part in self.parts()) / count
        shape = (-1, *(1 for _ in axes[1:]))
        squares = (np.square(part - mean.reshape(shape)).sum(axes) for part in self.parts())
        std = np.sqrt(sum(squares) / count)
        std[std == 0.0] = 1.0
        return tuple(mean.tolist()), tuple(std.tolist())

    def extent(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return the least and the largest value per channel or feature; for ids, over all ids."""
        axes = None if self.ids else (0, *range(2, self.inputs.ndim))
        least, most = (np.atleast_1d(of(self.inputs, axis=axes)) for of in (np.min, np.max))
        return tuple(least.tolist()), tuple(most.tolist())

    def parts(self) -> Iterator[NDArray[Any]]:
        """Yield the inputs in parts of a few examples."""
        return (self.inputs[at : at + _CHUNK] for at in range(0, len(self), _CHUNK))
