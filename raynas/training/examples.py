"""A split on the training device, and its batches."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from raynas.data import Data, Split
from raynas.training.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Examples:
    """A task's examples, with their normalisation.

    On the CPU they share the memory of the task's arrays, which may be read-only (Ray's object
    store): never write into them.

    Attributes:
        inputs: ``[n, channels, height, width]`` uint8 or float32, ``[n, features]`` float32, or
            ``[n, length]`` int64 (ids).
        labels: ``[n]`` int64.
        mean: ``[channels, 1, 1]`` or ``[features]``, in the units of the inputs.
        scale: One over the standard deviation, of the same shape as ``mean``.
        classes: How many classes there are.
    """

    inputs: Tensor
    labels: Tensor
    mean: Tensor
    scale: Tensor
    classes: int

    @classmethod
    def of(cls, split: Split, data: Data, device: torch.device) -> Examples:
        """Copy one split of a task's data to a device.

        Args:
            split: ``data.train``, ``data.valid``, ``data.test`` or ``data.merged()``.
            data: The task's data, for its normalisation and number of classes.
            device: The training device.
        """
        shape = (-1, 1, 1) if split.inputs.ndim == 4 else (-1,)
        mean = torch.tensor(data.mean).reshape(shape)
        std = torch.tensor(data.std).reshape(shape)
        with warnings.catch_warnings():
            # Torch warns of read-only memory; see the docstring of the class.
            warnings.filterwarnings("ignore", "The given NumPy array is not writable")
            inputs, labels = torch.from_numpy(split.inputs), torch.from_numpy(split.labels)
        return cls(
            inputs.to(device),
            labels.to(device),
            mean.to(device),
            std.to(device).reciprocal(),
            data.classes,
        )

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self.labels)

    def normalised(self, inputs: Tensor) -> Tensor:
        """Return inputs as float32 of mean 0 and deviation 1; images in channels-last layout.

        Ids are returned unchanged.
        """
        if inputs.dtype == torch.int64:
            return inputs
        normal = torch.sub(inputs, self.mean).mul_(self.scale)
        return normal.contiguous(memory_format=torch.channels_last) if normal.ndim == 4 else normal

    def steps(self, batch_size: int) -> int:
        """Return the number of steps of an epoch.

        All steps have equal size (up to one example), and no step has a single example, because
        batch normalisation needs at least two.
        """
        return max(1, min(math.ceil(len(self) / batch_size), len(self) // 2))


def augmented(images: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """Return randomly shifted and mirrored images, each with its own random numbers.

    Args:
        images: ``[batch, channels, height, width]``.
        recipe: Defines the augmentation; see ``crop`` and ``flip``.
        generator: A generator on the device of the images.
    """
    count, device = len(images), images.device
    if recipe.crop:
        height, width = images.shape[2:]
        top, left = torch.randint(
            2 * recipe.crop + 1, (2, count), generator=generator, device=device
        )
        # All windows are one view, [batch, channels, tops, lefts, height, width]; picking one per
        # image copies each pixel once.
        windows = (
            functional.pad(images, [recipe.crop] * 4).unfold(2, height, 1).unfold(3, width, 1)
        )
        images = windows[torch.arange(count, device=device), :, top, left]
    if recipe.flip:
        mirrored = torch.rand((count, 1, 1, 1), generator=generator, device=device) < 0.5
        images = torch.where(mirrored, images.flip(-1), images)
    return images


def cut_out(images: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """Return normalised images with a square set to 0, the mean; it may cross the border.

    Args:
        images: ``[batch, channels, height, width]`` float32; changed in place.
        side: The side of the square, in pixels.
        generator: A generator on the device of the images.
    """
    inside = []
    for size in images.shape[2:]:
        centre = torch.randint(size, (len(images), 1), generator=generator, device=images.device)
        offset = torch.arange(size, device=images.device) - centre + side // 2
        inside.append((offset >= 0) & (offset < side))
    rows, columns = inside
    return images.masked_fill_(rows[:, None, :, None] & columns[:, None, None, :], 0.0)
