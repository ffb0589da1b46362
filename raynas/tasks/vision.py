"""The well-known image sets, read by torchvision's own loaders.

The official training part is divided into training and validation; the official test part is
kept for the winner.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from raynas.data import Data, Split
from raynas.errors import DataError
from raynas.tasks.task import Source

# The usual augmentation of each kind of image; digits and house numbers must not be mirrored.
_GREY = MappingProxyType({"crop": 2})
_COLOUR = MappingProxyType({"crop": 4, "flip": True})


@dataclass(frozen=True, slots=True)
class _VisionTask:
    """An image set of torchvision.

    Attributes:
        valid: The fraction of the official training images for validation.
    """

    name: ClassVar[str]
    dataset: ClassVar[str]
    recipe: ClassVar[Mapping[str, object]]

    valid: float = 0.2

    def load(self, source: Source, seed: int) -> Data:
        """Return the images as [examples, channels, height, width] bytes.

        Raises:
            DataError: The files are missing or damaged, or cannot be downloaded.
        """
        (known, names), (test, _) = (self._read(source, train=part) for part in (True, False))
        return Data.split(known, seed=seed, valid=self.valid, test=test, names=names)

    def _read(self, source: Source, *, train: bool) -> tuple[Split, Sequence[str]]:
        import torchvision  # noqa: PLC0415 - loads torch

        loader = getattr(torchvision.datasets, self.dataset)
        try:
            with warnings.catch_warnings():
                # NumPy 2.4.0 to 2.4.4 warn of how the published CIFAR files spell dtypes.
                warnings.simplefilter("ignore", np.exceptions.VisibleDeprecationWarning)
                part = self._part(train=train)
                images = loader(source.data_dir, **part, download=source.download)
                return self._split(images), self._names(images)
        except (RuntimeError, OSError, HTTPException, ValueError, AssertionError) as error:
            raise DataError(self._missing(source, error)) from error

    def _part(self, *, train: bool) -> dict[str, object]:
        return {"train": train}

    def _split(self, images: Any) -> Split:
        return Split.of(images.data, images.targets)

    def _names(self, images: Any) -> Sequence[str]:
        return tuple(images.classes)

    def _missing(self, source: Source, error: Exception) -> str:
        folder = source.data_dir.absolute()
        if source.download:
            return (
                f"{self.name} could not be downloaded into {folder}: check the network, or copy "
                f"its files there and leave --download out ({' '.join(str(error).split())})"
            )
        # torchvision raises RuntimeError if files are missing or a checksum is wrong.
        damage = "" if isinstance(error, RuntimeError) else f" ({error})"
        return (
            f"{self.name} is missing or damaged in {folder}{damage}: download it with "
            f"`raynas search --task {self.name} --data-dir {source.data_dir} --download`"
        )


class MNIST(_VisionTask):
    """70,000 handwritten digits, 28 x 28, grey (LeCun et al., 1998)."""

    name = "mnist"
    dataset = "MNIST"
    recipe = _GREY


class FashionMNIST(_VisionTask):
    """70,000 pictures of clothes, 28 x 28, grey (Xiao et al., 2017, arXiv:1708.07747)."""

    name = "fashion_mnist"
    dataset = "FashionMNIST"
    recipe = MappingProxyType({"crop": 2, "flip": True})


class CIFAR10(_VisionTask):
    """60,000 colour photographs, 32 x 32, in 10 classes (Krizhevsky, 2009)."""

    name = "cifar10"
    dataset = "CIFAR10"
    recipe = _COLOUR

    def _split(self, images: Any) -> Split:
        return Split.of(images.data.transpose(0, 3, 1, 2), images.targets)


class CIFAR100(CIFAR10):
    """The same kind of photographs in 100 classes."""

    name = "cifar100"
    dataset = "CIFAR100"


class SVHN(_VisionTask):
    """99,289 house numbers in colour, 32 x 32, cropped to one digit (Netzer et al., 2011)."""

    name = "svhn"
    dataset = "SVHN"
    recipe = MappingProxyType({"crop": 4})

    def _part(self, *, train: bool) -> dict[str, object]:
        return {"split": "train" if train else "test"}

    def _split(self, images: Any) -> Split:
        return Split.of(images.data, images.labels)

    def _names(self, images: Any) -> Sequence[str]:  # noqa: ARG002 - torchvision has none
        return tuple(map(str, range(10)))
