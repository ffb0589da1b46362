"""A task's data as arrays, for training."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from raynas.errors import DataError
from raynas.rng import split_rng

_CHUNK = 1024  # examples per step, so that the statistics of a large set need little memory


@dataclass(frozen=True, slots=True)
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
        """Check that every example has a label."""
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
                float32. Images of uint8 stay uint8, other images become float32.
            labels: ``[examples]`` whole numbers, counted from 0.

        Raises:
            DataError: The shape is another one, or a value is not a finite number.
        """
        array, targets = np.asarray(inputs), np.asarray(labels)
        if array.ndim == 3:
            array = array[:, np.newaxis]
        if array.ndim not in {2, 4} or targets.ndim != 1 or 0 in array.shape[1:]:
            raise DataError(
                "inputs must be [examples, channels, height, width], [examples, height, width] or "
                f"[examples, features] and labels [examples]: got {array.shape}, {targets.shape}"
            )
        if _are_ids(array):
            array = _as_ids(array)
        elif array.dtype != np.uint8 or array.ndim == 2:
            array = array.astype(np.float32)
            if not np.isfinite(array).all():
                raise DataError("inputs must be finite numbers: got NaN or infinity among them")
        if targets.dtype.kind not in "biu" or (targets < 0).any():
            raise DataError(
                "labels must be whole numbers counted from 0: "
                f"got {targets.dtype} such as {targets[:1].tolist()}"
            )
        return cls(np.ascontiguousarray(array), np.ascontiguousarray(targets, np.int64))

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
        # Walking class by class, an example is taken whenever the share so far gains a whole one.
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
        mean = sum(part.sum(axes, np.float64) for part in self._parts()) / count
        shape = (-1, *(1 for _ in axes[1:]))
        squares = (np.square(part - mean.reshape(shape)).sum(axes) for part in self._parts())
        std = np.sqrt(sum(squares) / count)
        std[std == 0.0] = 1.0
        return tuple(mean.tolist()), tuple(std.tolist())

    def extent(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return the least and the largest value per channel or feature; for ids, of all ids."""
        axes = None if self.ids else (0, *range(2, self.inputs.ndim))
        least, most = (np.atleast_1d(of(self.inputs, axis=axes)) for of in (np.min, np.max))
        return tuple(least.tolist()), tuple(most.tolist())

    def _parts(self) -> Iterator[NDArray[Any]]:
        return (self.inputs[at : at + _CHUNK] for at in range(0, len(self), _CHUNK))


def _are_ids(array: NDArray[Any]) -> bool:
    return array.ndim == 2 and array.dtype.kind in "iu" and array.dtype != np.uint8


def _as_ids(array: NDArray[Any]) -> NDArray[np.int64]:
    if array.size and array.max() > np.iinfo(np.int64).max:
        raise DataError(f"ids must fit into int64: got {array.max()}")
    return array.astype(np.int64)


@dataclass(frozen=True, slots=True)
class Data:
    """The data of a search (``train``, ``valid``) and of the winner's single test (``test``).

    Attributes:
        train: The examples that weights are fitted to.
        valid: The examples that architectures are chosen by.
        test: The examples that the winner is tested on.
        classes: How many classes there are.
        mean: The mean of the training inputs per channel or feature, in their units.
        std: The standard deviation of the training inputs per channel or feature.
        names: The names of the classes, by label; empty if they are unknown.
    """

    train: Split
    valid: Split
    test: Split
    classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check that the three splits have the same type and shape."""
        if self.names and len(self.names) != self.classes:
            raise DataError(
                f"every class must have a name: got {len(self.names)} names for "
                f"{self.classes} classes"
            )
        for split in (self.valid, self.test):
            if split.inputs.dtype != self.train.inputs.dtype:
                raise DataError(
                    "all splits must hold inputs of one number type: "
                    f"got {self.train.inputs.dtype} and {split.inputs.dtype}"
                )
            if split.inputs.shape[1:] != self.input_shape:
                raise DataError(
                    "all splits must hold examples of one shape: "
                    f"got {self.input_shape} and {tuple(split.inputs.shape[1:])}"
                )
        largest = max(int(split.labels.max()) for split in (self.train, self.valid, self.test))
        if largest >= self.classes:
            raise DataError(f"labels must be below classes={self.classes}: got {largest}")

    @classmethod
    def split(
        cls,
        known: Split,
        *,
        seed: int,
        valid: float | Split = 0.2,
        test: float | Split = 0.2,
        names: Sequence[str] = (),
    ) -> Data:
        """Divide labelled examples for a search, the same way for the same seed.

        Args:
            known: The examples; those that are not set aside are training examples.
            seed: The run's seed.
            valid: The validation examples, or the fraction of ``known`` to set aside for them.
            test: The test examples, or a fraction; give the official test set if there is one.
            names: The names of the classes, by label.

        Raises:
            DataError: A fraction leaves nothing on one side, or a class has no name.
        """
        rng = split_rng(seed)
        count = len(known)
        train = known
        if not isinstance(test, Split):
            train, test = train.divide(test, rng)
        if not isinstance(valid, Split):
            train, valid = train.divide(valid * count / len(train), rng)
        labels = (int(part.labels.max()) for part in (train, valid, test))
        classes = max(len(names), *(label + 1 for label in labels))
        return cls(train, valid, test, classes, *train.moments(), names=tuple(map(str, names)))

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one example, such as (channels, height, width)."""
        return tuple(self.train.inputs.shape[1:])

    @property
    def input_dtype(self) -> str:
        """The number type of the network's inputs: ``int64`` for ids, else ``float32``."""
        return "int64" if self.train.ids else "float32"

    def merged(self) -> Split:
        """Return ``train`` and ``valid`` together; the winner may be trained on both."""
        return Split(
            np.concatenate([self.train.inputs, self.valid.inputs]),
            np.concatenate([self.train.labels, self.valid.labels]),
        )

    def describe(self) -> dict[str, object]:
        """Return sizes and digests, by which a journal recognises the same splits."""
        splits = {"train": self.train, "valid": self.valid, "test": self.test}
        return {
            "input_shape": list(self.input_shape),
            "classes": self.classes,
            **{
                name: {"examples": len(split), "digest": split.digest}
                for name, split in splits.items()
            },
        }
