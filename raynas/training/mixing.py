"""Mixtures of two images and their targets: mixup and CutMix."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from raynas.training.recipe import Recipe
from raynas.trees import mapped

Pair = tuple[Any, Any]


class Mixed(NamedTuple):
    """The targets of mixed images; the loss is ``share`` of one loss and the rest of the other.

    Attributes:
        targets: The targets of the first images.
        others: The targets of the second images.
        share: The share of the first images, a scalar tensor.
    """

    targets: Any
    others: Any
    share: Tensor


def mixed(batches: Iterator[Pair], recipe: Recipe, rng: np.random.Generator) -> Iterator[Pair]:
    """Yield the batches with mixed images, and ``Mixed`` targets.

    Each image is mixed with the one before it in the batch, whose order is random. The share is
    drawn per batch, as by the authors of both papers, on the host, so that nothing waits for the
    device.

    Args:
        batches: Images ``[batch, channels, height, width]`` and targets.
        recipe: Its ``mixup`` and ``cutmix``; if both are set, each batch is changed by one of them
            with equal probability.
        rng: Draws the shares and boxes.
    """
    names = recipe.mixes
    for images, targets in batches:
        name = names[rng.integers(len(names))]
        alpha = getattr(recipe, name)
        drawn = float(rng.beta(alpha, alpha))
        if name == "mixup":
            inputs, share = images.lerp(images.roll(1, 0), 1.0 - drawn), drawn
        else:
            inputs, share = cut_mixed(images, drawn, rng)
        others = mapped(lambda part: part.roll(1, 0), targets)
        yield inputs, Mixed(targets, others, torch.full((), share, device=images.device))


def cut_mixed(images: Tensor, share: float, rng: np.random.Generator) -> tuple[Tensor, float]:
    """Return images with a box of the ones before them, and the share that they keep.

    The box has the share ``1 - share`` of the image's area, and its centre is uniform; a part
    outside of the image does not count (Yun et al., 2019, arXiv:1905.04899, Algorithm A1).
    """
    sides = images.shape[2:]
    spans = []
    for side in sides:
        half = int(side * np.sqrt(1.0 - share)) // 2
        centre = int(rng.integers(side))
        spans.append(slice(max(0, centre - half), min(side, centre + half)))
    rows, columns = spans
    inputs = images.clone()
    inputs[:, :, rows, columns] = images.roll(1, 0)[:, :, rows, columns]
    area = (rows.stop - rows.start) * (columns.stop - columns.start)
    return inputs, 1.0 - area / (sides[0] * sides[1])
