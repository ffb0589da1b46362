"""How training images are changed at random."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from raynas.training.recipe.fields import check_ranges

_RANGES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "crop": (0, math.inf),
        "cutout": (0, math.inf),
        "randaugment": (0, math.inf),
        "magnitude": (0, 30),
        "mixup": (0.0, math.inf),
        "cutmix": (0.0, math.inf),
    }
)
_EACH: Final = ("crop", "flip", "cutout", "randaugment")
_MIXING: Final = ("mixup", "cutmix")


@dataclass(frozen=True)
class Augmentation:
    """How training images are changed at random; all of it is off by default.

    Attributes:
        crop: Images get a black border of so many pixels, then a random window is cut out; 0 for
            none. For images only.
        flip: Whether half of the images are mirrored left to right. For images only.
        cutout: Side, in pixels, of a square set to the mean (DeVries & Taylor, 2017,
            arXiv:1708.04552); 0 for none. For images only.
        randaugment: The number of random operations per image, such as a rotation or a change of
            contrast (RandAugment: Cubuk et al., 2020, arXiv:1909.13719); 0 for none. For images
            only.
        magnitude: How strong these operations are, from 0 to 30.
        mixup: Each image of a batch is mixed with another one, and so are their losses; the share
            is drawn from a beta distribution with both parameters equal to this number (mixup:
            Zhang et al., 2018, arXiv:1710.09412; 0.2 to 0.4 are usual); 0 for none. For images
            only.
        cutmix: A box of each image is replaced by that of another one, and the losses are mixed
            by its area (CutMix: Yun et al., 2019, arXiv:1905.04899; 1 is usual); 0 for none. With
            ``mixup`` too, each batch is changed by one of them, at random. For images only.
    """

    crop: int = 0
    flip: bool = False
    cutout: int = 0
    randaugment: int = 0
    magnitude: int = 9
    mixup: float = 0.0
    cutmix: float = 0.0

    def check_augmentation(self) -> None:
        """Check the fields.

        Raises:
            ConfigError: A field is out of its range.
        """
        check_ranges(self, _RANGES)

    @property
    def changes(self) -> list[str]:
        """The names of the fields that change images one by one, if they are set."""
        return [name for name in _EACH if getattr(self, name)]

    @property
    def mixes(self) -> list[str]:
        """The names of the fields that mix images, if they are set."""
        return [name for name in _MIXING if getattr(self, name)]
