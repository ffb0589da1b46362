"""Handwritten digits that come with scikit-learn: real data without a download."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

import numpy as np

from raynas.data import Data, Split
from raynas.tasks.task import Source


@dataclass(frozen=True, slots=True)
class Digits:
    """1,797 grey images of 8 x 8 pixels in ten classes (UCI Optdigits, its test part).

    Attributes:
        valid: Fraction of all images that architectures are chosen on.
        test: Fraction of all images that the winner is measured on.
    """

    name: ClassVar[str] = "digits"
    recipe: ClassVar[Mapping[str, object]] = MappingProxyType({"batch_size": 64})

    valid: float = 0.2
    test: float = 0.2

    def load(self, source: Source, seed: int) -> Data:  # noqa: ARG002 - the data is embedded
        """Return the images as [examples, 1, 8, 8] with values from 0 to 16."""
        from sklearn.datasets import load_digits  # noqa: PLC0415 - takes a second to import

        digits = load_digits()
        images = Split.of(digits.images.astype(np.uint8), digits.target)
        names = tuple(map(str, digits.target_names))
        return Data.split(images, seed=seed, valid=self.valid, test=self.test, names=names)
