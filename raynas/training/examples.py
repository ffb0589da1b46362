"""A split on the device that trains, and the batches made from it there."""

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
    """Examples as the task gave them, and how to normalise them.

    On the CPU they share the memory of the task's arrays, which may be read-only (Ray's object
    store): nothing may be written into them.

    Attributes:
        inputs: ``[n, channels, height, width]`` uint8 or float32, ``[n, features]`` float32, or
            ``[n, length]`` int64 (ids).
        labels: ``[n]`` int64.
        mean: ``[channels, 1, 1]`` or ``[features]``, in the units of the inputs.
        scale: Likewise, one over the standard deviation.
        classes: How many labels there are.
    """

    inputs: Tensor
    labels: Tensor
    mean: Tensor
    scale: Tensor
    classes: int

    @classmethod
    def of(cls, split: Split, data: Data, device: torch.device) -> Examples:
        """Bring one split of a task's data to a device.

        Args:
            split: Which part: ``data.train``, ``data.valid``, ``data.test`` or ``data.merged()``.
            data: The task's data, for its normalisation and number of classes.
            device: Where the child is trained.
        """
        shape = (-1, 1, 1) if split.inputs.ndim == 4 else (-1,)
        mean = torch.tensor(data.mean).reshape(shape)
        std = torch.tensor(data.std).reshape(shape)
        with warnings.catch_warnings():
            # Torch does not know read-only memory and warns of it; see above.
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
        """Return inputs as float32 of mean 0 and deviation 1, laid out as convolutions like it.

        Ids are returned as they are.
        """
        if inputs.dtype == torch.int64:
            return inputs
        normal = torch.sub(inputs, self.mean).mul_(self.scale)
        return normal.contiguous(memory_format=torch.channels_last) if normal.ndim == 4 else normal

    def steps(self, batch_size: int) -> int:
        """Return into how many steps an epoch is cut.

        Steps are of equal size (give or take one) rather than full with a remainder, and no step
        has a single example: batch normalisation cannot work with that.
        """
        return max(1, min(math.ceil(len(self) / batch_size), len(self) // 2))


def augmented(images: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """Return randomly shifted and mirrored images, each in its own way.

    Args:
        images: ``[batch, channels, height, width]``.
        recipe: Says what is done; see ``crop`` and ``flip``.
        generator: On the device of the images.
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
    """Return normalised images with a square set to 0, the mean; it may hang over the edge.

    Args:
        images: ``[batch, channels, height, width]`` float32; changed in place.
        side: Of the square, in pixels.
        generator: On the device of the images.
    """
    inside = []
    for size in images.shape[2:]:
        centre = torch.randint(size, (len(images), 1), generator=generator, device=images.device)
        offset = torch.arange(size, device=images.device) - centre + side // 2
        inside.append((offset >= 0) & (offset < side))
    rows, columns = inside
    return images.masked_fill_(rows[:, None, :, None] & columns[:, None, None, :], 0.0)
