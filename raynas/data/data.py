"""The data of a search, divided into training, validation and test data."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Final

import numpy as np

from raynas.data.split import Split
from raynas.errors import DataError, kind_of
from raynas.rng import split_rng

_SHOWN: Final = 4  # the most labels in a message
_LOG = logging.getLogger("raynas")


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
                f"{self.classes} classes (labels are counted from 0)"
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
            names: The names of the classes, by label. If there are none, and the labels are not
                0, 1, 2, … without a gap, the classes get new numbers, and the old label of a
                class is its name.

        Raises:
            DataError: A fraction would leave a part empty, or a class has no name.
        """
        for what, given in (("known", known), ("valid", valid), ("test", test)):
            if not isinstance(given, Split) and (what == "known" or not isinstance(given, Real)):
                wanted = "a Split" if what == "known" else "a fraction or a Split"
                raise DataError(f"{what} must be {wanted}: got {kind_of(given)}")
        rng = split_rng(seed)
        count = len(known)
        train = known
        if not isinstance(test, Split):
            train, test = train.divide(float(test), rng)
        if not isinstance(valid, Split):
            train, valid = train.divide(float(valid) * count / len(train), rng)
        parts = (train, valid, test)
        if not names:
            parts, names = _numbered(parts)
        classes = max(len(names), *(int(part.labels.max()) + 1 for part in parts))
        return cls(*parts, classes, *parts[0].moments(), names=tuple(map(str, names)))

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


def _numbered(parts: tuple[Split, Split, Split]) -> tuple[tuple[Split, Split, Split], list[str]]:
    """Number the labels 0, 1, 2, … without a gap; return the old labels if they were others."""
    found = np.unique(np.concatenate([np.unique(part.labels) for part in parts]))
    if len(found) == found[-1] + 1:
        return parts, []
    shown = [*map(str, found[:_SHOWN])]
    if len(found) > _SHOWN:
        shown += ["…", str(found[-1])] if len(found) > _SHOWN + 1 else [str(found[-1])]
    _LOG.info(
        "the labels are not 0, 1, 2, … without a gap (they are %s): the classes are numbered from "
        "0 in this order, and the name of a class is its label",
        ", ".join(shown),
    )
    train, valid, test = (
        replace(part, labels=np.searchsorted(found, part.labels).astype(np.int64))
        for part in parts
    )
    return (train, valid, test), [*map(str, found)]
