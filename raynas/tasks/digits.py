"""Handwritten digits that come with scikit-learn: real data without a download."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from raynas.data import Data, Split
from raynas.errors import ConfigError
from raynas.tasks.task import Source


@dataclass(frozen=True, slots=True)
class Digits:
    """1,797 grey images of 8 x 8 pixels in ten classes (UCI Optdigits, its test part).

    Attributes:
        valid: The fraction of all images for validation.
        test: The fraction of all images for the winner's test.
        train: The number of images for training; none for all others.
        noise: The deviation of normal noise that is added to each pixel; with noise, pixels are
            real numbers.

    Raises:
        ConfigError: There are not so many images, or the noise is negative.
    """

    name: ClassVar[str] = "digits"
    recipe: ClassVar[Mapping[str, object]] = MappingProxyType({"batch_size": 64})

    valid: float = 0.2
    test: float = 0.2
    train: int | None = None
    noise: float = 0.0

    def __post_init__(self) -> None:
        """Check the options."""
        if self.noise < 0 or (self.train is not None and self.train < 1):
            raise ConfigError(
                f"digits needs noise >= 0 and train >= 1, got {self.noise} and {self.train}"
            )

    def load(self, source: Source, seed: int) -> Data:  # noqa: ARG002 - the data is embedded
        """Return the images as [examples, 1, 8, 8] with values from 0 to 16."""
        table = _table()
        pixels: NDArray[Any] = table[:, :-1].reshape(-1, 8, 8)
        if self.noise:
            drawn = np.random.default_rng(0).normal(0.0, self.noise, pixels.shape)
            pixels = (pixels + drawn).astype(np.float32)
        images = Split.of(pixels, table[:, -1].astype(np.int64))
        names = tuple(map(str, range(10)))
        data = Data.split(images, seed=seed, valid=self.valid, test=self.test, names=names)
        if self.train is None:
            return data
        if self.train > len(data.train):
            raise ConfigError(f"digits has {len(data.train)} images left, train is {self.train}")
        return replace(data, train=data.train.take(np.arange(self.train)), norm=None)


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
