"""Handwritten digits that come with scikit-learn: real data without a download."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from raynas.data import Data, Split
from raynas.tasks.task import Source


@dataclass(frozen=True, slots=True)
class Digits:
    """1,797 grey images of 8 x 8 pixels in ten classes (UCI Optdigits, its test part).

    Attributes:
        valid: The fraction of all images for validation.
        test: The fraction of all images for the winner's test.
    """

    name: ClassVar[str] = "digits"
    recipe: ClassVar[Mapping[str, object]] = MappingProxyType({"batch_size": 64})

    valid: float = 0.2
    test: float = 0.2

    def load(self, source: Source, seed: int) -> Data:  # noqa: ARG002 - the data is embedded
        """Return the images as [examples, 1, 8, 8] with values from 0 to 16."""
        table = _table()
        images = Split.of(table[:, :-1].reshape(-1, 8, 8), table[:, -1].astype(np.int64))
        names = tuple(map(str, range(10)))
        return Data.split(images, seed=seed, valid=self.valid, test=self.test, names=names)


def _table() -> NDArray[np.uint8]:
    """Return an image and its class per row.

    The file is read from scikit-learn's folder, because importing scikit-learn takes a second.
    """
    found = find_spec("sklearn")
    for folder in (found and found.submodule_search_locations) or ():
        file = Path(folder) / "datasets" / "data" / "digits.csv.gz"
        if file.exists():
            return np.loadtxt(file, delimiter=",", dtype=np.uint8)
    from sklearn.datasets import load_digits  # noqa: PLC0415 - see above

    images, classes = load_digits(return_X_y=True)
    return np.column_stack([images, classes]).astype(np.uint8)
