"""RandAugment (Cubuk et al., 2020, arXiv:1909.13719): random operations on images.

Each image gets some operations out of fourteen, each drawn with equal probability, all of the same
strength. Their ranges are those of torchvision's ``RandAugment``. Differs from there: every image
of a batch gets operations of its own; pixels of any range are used, not bytes alone; rotations and
shears are about the centre and interpolate between pixels. What comes from outside of the image is
black.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

Operation = Callable[[Tensor, Tensor], Tensor]
"""Changes images ``[batch, channels, height, width]`` in 0 … 1 by strengths ``[batch, 1, 1, 1]``.

A strength is between -1 and 1; its size is the same for all images, its sign is random."""

_STRONGEST: Final = 30


def randomly_changed(
    images: Tensor, count: int, magnitude: int, rng: np.random.Generator
) -> Tensor:
    """Return images after some random operations each.

    Args:
        images: ``[batch, channels, height, width]`` in 0 … 1, float32.
        count: Operations per image.
        magnitude: Their strength, 0 to 30.
        rng: Draws the operations and their signs, on the host.
    """
    for _ in range(count):
        drawn = rng.integers(len(OPERATIONS), size=len(images))
        signs = rng.choice((-1.0, 1.0), size=(len(images), 1, 1, 1)).astype(np.float32)
        strengths = _there(signs * (magnitude / _STRONGEST), images)
        changed = torch.empty_like(images)
        for at, operation in enumerate(OPERATIONS.values()):
            found = np.flatnonzero(drawn == at)
            if len(found):
                rows = _there(found, images)
                changed[rows] = operation(images[rows], strengths[rows])
        images = changed
    return images


def _there(array: np.ndarray[Any, Any], images: Tensor) -> Tensor:
    """Return an array as a tensor on the device of the images, without waiting for it."""
    return torch.from_numpy(array).to(images.device, non_blocking=True)


def _blend(images: Tensor, other: Tensor, strengths: Tensor) -> Tensor:
    """Move images away from others, or towards them; strengths become factors of 0.1 to 1.9."""
    return other.lerp(images, 1.0 + 0.9 * strengths).clamp(0.0, 1.0)


def brightness(images: Tensor, strengths: Tensor) -> Tensor:
    """Multiply all pixels."""
    return _blend(images, torch.zeros_like(images), strengths)


def contrast(images: Tensor, strengths: Tensor) -> Tensor:
    """Move pixels from or to the mean of the grey image."""
    mean = _grey(images).mean((1, 2, 3), keepdim=True)
    return _blend(images, mean.expand_as(images), strengths)


def colour(images: Tensor, strengths: Tensor) -> Tensor:
    """Move pixels from or to the grey image; one without three channels stays as it is."""
    return _blend(images, _grey(images).expand_as(images), strengths)


def sharpness(images: Tensor, strengths: Tensor) -> Tensor:
    """Move pixels from or to the smoothed image; those at the border stay as they are."""
    channels = images.shape[1]
    kernel = images.new_ones(channels, 1, 3, 3)
    kernel[:, :, 1, 1] = 5.0
    smooth = images.clone()
    if min(images.shape[2:]) > 2:
        inner = functional.conv2d(images, kernel / 13.0, groups=channels)
        smooth[:, :, 1:-1, 1:-1] = inner
    return _blend(images, smooth, strengths)


def _grey(images: Tensor) -> Tensor:
    if images.shape[1] != 3:
        return images
    return (images * images.new_tensor((0.2989, 0.587, 0.114)).view(1, 3, 1, 1)).sum(
        1, keepdim=True
    )


def posterize(images: Tensor, strengths: Tensor) -> Tensor:
    """Keep four to eight bits of each pixel."""
    step = 2.0 ** (4.0 * strengths.abs()).round()
    return ((images * 255.0).round() / step).floor() * step / 255.0


def solarize(images: Tensor, strengths: Tensor) -> Tensor:
    """Invert pixels that are not below a threshold."""
    return torch.where(images >= 1.0 - strengths.abs(), 1.0 - images, images)


def auto_contrast(images: Tensor, strengths: Tensor) -> Tensor:  # noqa: ARG001
    """Stretch each channel to the whole range."""
    low, high = images.amin((2, 3), keepdim=True), images.amax((2, 3), keepdim=True)
    span = high - low
    return torch.where(span > 0.0, (images - low) / span.clamp(min=1e-6), images)


def equalize(images: Tensor, strengths: Tensor) -> Tensor:  # noqa: ARG001
    """Make the histogram of each channel flat, over 256 levels."""
    levels = (images.flatten(2) * 255.0).round().long().clamp(0, 255)
    counts = images.new_zeros(*levels.shape[:2], 256)
    below = counts.scatter_add_(2, levels, images.new_ones(levels.shape)).cumsum(2)
    least = below.gather(2, levels.amin(2, keepdim=True))  # pixels of the darkest level
    span = levels.shape[2] - least
    flat = (below.gather(2, levels) - least) / span.clamp(min=1.0)
    return torch.where(span > 0.0, flat, images.flatten(2)).reshape(images.shape)


def _mapped_from(images: Tensor, entries: Mapping[tuple[int, int], Tensor]) -> Tensor:
    """Return images whose places ``(x, y, 1)`` come from an affine map; others are black.

    Args:
        images: The images.
        entries: The entries ``[batch, 1, 1, 1]`` of the map that differ from the identity, by row
            and column; x and y go from -1 to 1.
    """
    maps = torch.eye(2, 3, device=images.device).repeat(len(images), 1, 1)
    for (row, column), entry in entries.items():
        maps[:, row, column] = entry.flatten()
    grid = functional.affine_grid(maps, [*images.shape], align_corners=False)
    return functional.grid_sample(images, grid, align_corners=False)


def rotate(images: Tensor, strengths: Tensor) -> Tensor:
    """Rotate by at most 30 degrees."""
    angles = strengths * math.radians(30.0)
    sine, cosine = angles.sin(), angles.cos()
    wide = images.shape[3] / images.shape[2]
    return _mapped_from(
        images, {(0, 0): cosine, (0, 1): -sine / wide, (1, 0): sine * wide, (1, 1): cosine}
    )


def shear_x(images: Tensor, strengths: Tensor) -> Tensor:
    """Shift rows by at most 0.3 of their distance from the centre."""
    return _mapped_from(images, {(0, 1): 0.3 * strengths * images.shape[2] / images.shape[3]})


def shear_y(images: Tensor, strengths: Tensor) -> Tensor:
    """Shift columns by at most 0.3 of their distance from the centre."""
    return _mapped_from(images, {(1, 0): 0.3 * strengths * images.shape[3] / images.shape[2]})


def translate_x(images: Tensor, strengths: Tensor) -> Tensor:
    """Shift to a side by at most 150/331 of the width, in whole pixels."""
    width = images.shape[3]
    return _mapped_from(images, {(0, 2): _pixels(strengths, width) * 2.0 / width})


def translate_y(images: Tensor, strengths: Tensor) -> Tensor:
    """Shift up or down by at most 150/331 of the height, in whole pixels."""
    height = images.shape[2]
    return _mapped_from(images, {(1, 2): _pixels(strengths, height) * 2.0 / height})


def _pixels(strengths: Tensor, side: int) -> Tensor:
    return (strengths * (side * 150.0 / 331.0)).trunc()


OPERATIONS: Final[Mapping[str, Operation]] = MappingProxyType(
    {
        "identity": lambda images, _: images,
        "shear_x": shear_x,
        "shear_y": shear_y,
        "translate_x": translate_x,
        "translate_y": translate_y,
        "rotate": rotate,
        "brightness": brightness,
        "colour": colour,
        "contrast": contrast,
        "sharpness": sharpness,
        "posterize": posterize,
        "solarize": solarize,
        "auto_contrast": auto_contrast,
        "equalize": equalize,
    }
)
