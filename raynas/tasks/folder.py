"""Images of your own, in one folder per class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

import numpy as np

from raynas.data import Data, Split
from raynas.errors import ConfigError, DataError
from raynas.tasks.task import Source


@dataclass(frozen=True, slots=True)
class ImageFolder:
    """Image files under ``train/CLASS/``, ``test/CLASS/`` and, if there is one, ``val/CLASS/``.

    Every image becomes RGB and ``size`` x ``size`` pixels: resized with its proportions kept, then
    cut to its middle.

    Attributes:
        size: Side of the square, in pixels.
        valid: Fraction of ``train`` that architectures are chosen on, if there is no ``val``.
    """

    name: ClassVar[str] = "image_folder"
    recipe: ClassVar[Mapping[str, object]] = MappingProxyType({"crop": 4, "flip": True})

    size: int = 32
    valid: float = 0.2

    def __post_init__(self) -> None:
        """Check the size."""
        if self.size < 1:
            raise ConfigError(f"size must be at least 1 pixel: got {self.size}")

    def load(self, source: Source, seed: int) -> Data:
        """Return the images as [examples, 3, size, size] bytes.

        Raises:
            DataError: A folder is missing or empty, holds other classes than ``train``, or holds a
                file that is no image.
        """
        root = source.data_dir
        if not (root / "train").is_dir() or not (root / "test").is_dir():
            raise DataError(
                "image_folder needs train/CLASS/*.png (or .jpg, …) and test/CLASS/*.png, and "
                f"--data-dir to name the folder above them: looked in {root.absolute()}"
            )
        train, classes = self._read(root / "train")
        parts = {"test": root / "test", "valid": root / "val"}
        others = {part: self._read(folder) for part, folder in parts.items() if folder.is_dir()}
        for part, (_, found) in others.items():
            if found != classes:
                raise DataError(
                    f"{parts[part].absolute()} must hold the classes of train, "
                    f"{', '.join(classes)}: got {', '.join(found)}"
                )
        valid = others["valid"][0] if "valid" in others else self.valid
        return Data.split(train, seed=seed, valid=valid, test=others["test"][0])

    def _read(self, folder: Path) -> tuple[Split, list[str]]:
        from PIL import ImageOps  # noqa: PLC0415 - comes with torchvision
        from torchvision import datasets  # noqa: PLC0415 - loads torch

        try:
            images = datasets.ImageFolder(folder)
            pixels = np.empty((len(images), self.size, self.size, 3), np.uint8)
            for row, (image, _) in enumerate(images):
                pixels[row] = np.asarray(ImageOps.fit(image, (self.size, self.size)))
        except OSError as error:
            raise DataError(
                f"the images in {folder.absolute()} cannot be read: {error}"
            ) from error
        return Split.of(pixels.transpose(0, 3, 1, 2), images.targets), images.classes
