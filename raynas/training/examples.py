"""A split of arrays on the training device, and its batches."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from raynas.data import Data, Moments, Split
from raynas.errors import ConfigError
from raynas.goals import Goal
from raynas.rng import host_rng
from raynas.training.batches import Norm
from raynas.training.randaugment import randomly_changed
from raynas.training.recipe import Recipe
from raynas.trees import first, leaves, mapped

# Examples scored at once. On a CPU, more do not fit into its caches and take up to twice as long.
_AT_ONCE_CPU, _AT_ONCE_GPU = 200, 1000


@dataclass(frozen=True, slots=True)
class Examples:
    """A task's examples, with their normalisation and their goal.

    On the CPU they share the memory of the task's arrays, which may be read-only (Ray's object
    store): never write into them.

    Attributes:
        inputs: A tensor, or a tree of tensors, as in ``Split``.
        targets: The targets, likewise.
        goal: What is learnt.
        norms: The normalisation of each leaf of the inputs.
    """

    inputs: Any
    targets: Any
    goal: Goal
    norms: tuple[Norm, ...]

    @classmethod
    def of(cls, split: Split, data: Data, device: torch.device) -> Examples:
        """Copy one split of a task's data to a device.

        Args:
            split: ``data.train``, ``data.valid``, ``data.test`` or ``data.merged()``.
            data: The task's data, for its normalisation and goal.
            device: The training device.
        """
        inputs, targets = mapped(
            lambda array: _tensor(array, device), (split.inputs, split.targets)
        )
        shapes = [tensor.ndim for tensor in leaves(inputs)]
        norms = zip(leaves(data.norm), shapes, strict=True)
        return cls(
            inputs, targets, data.goal, tuple(_norm(one, ndim, device) for one, ndim in norms)
        )

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(first(self.targets))

    @property
    def device(self) -> torch.device:
        """The training device."""
        found: torch.device = first(self.inputs).device
        return found

    @property
    def repeatable(self) -> bool:
        """Whether any process gets the same batches, which it does."""
        return True

    def take(self, rows: Any) -> tuple[Any, Any]:
        """Return inputs, before normalisation, and targets at ``rows``."""
        return mapped(lambda tensor: tensor[rows], (self.inputs, self.targets))  # type: ignore[no-any-return]

    def normalised(self, inputs: Any) -> Any:
        """Return inputs as float32 of mean 0 and deviation 1; images in channels-last layout.

        Ids are returned unchanged.
        """
        norms = iter(self.norms)
        return mapped(lambda tensor: _normalised(tensor, next(norms)), inputs)

    def steps(self, batch_size: int) -> int:
        """Return the number of steps of an epoch.

        All steps have equal size (up to one example), and no step has a single example, because
        batch normalisation needs at least two.
        """
        return max(1, min(math.ceil(len(self) / batch_size), len(self) // 2))

    def training(self, recipe: Recipe, generator: torch.Generator) -> Iterator[tuple[Any, Any]]:
        """Yield the batches of an epoch in random order, augmented and normalised."""
        order = torch.randperm(len(self), generator=generator, device=self.device)
        rng = host_rng(generator) if recipe.randaugment else None
        for rows in order.tensor_split(self.steps(recipe.batch_size)):
            inputs, targets = self.take(rows)
            if recipe.crop or recipe.flip:
                inputs = augmented(inputs, recipe, generator)
            if rng:
                inputs = self._randomly_changed(inputs, recipe, rng)
            inputs = self.normalised(inputs)
            if recipe.cutout:
                inputs = cut_out(inputs, recipe.cutout, generator)
            yield inputs, targets

    def _randomly_changed(
        self, images: Tensor, recipe: Recipe, rng: np.random.Generator
    ) -> Tensor:
        """Return images after RandAugment, for which black is the least value in the data."""
        low, high = self.inputs.aminmax()
        span = (high.float() - low).clamp(min=1e-6)
        unit = (images - low.float()) / span
        changed = randomly_changed(unit, recipe.randaugment, recipe.magnitude, rng)
        return changed.mul_(span).add_(low)

    def scoring(self) -> Iterator[tuple[Any, Any]]:
        """Yield all batches in their order, normalised."""
        at_once = _AT_ONCE_CPU if self.device.type == "cpu" else _AT_ONCE_GPU
        parts = math.ceil(len(self) / at_once)
        for rows in np.array_split(np.arange(len(self)), parts):
            inputs, targets = self.take(slice(int(rows[0]), int(rows[-1]) + 1))
            yield self.normalised(inputs), targets

    def some(self, count: int) -> tuple[Any, Any]:
        """Return the first examples as a normalised batch; they repeat if there are less."""
        inputs, targets = self.take(torch.arange(count, device=self.device) % len(self))
        return self.normalised(inputs), targets

    def raw(self, count: int) -> Any:
        """Return the inputs of the first examples before normalisation, bytes as float32."""
        inputs, _ = self.take(torch.arange(count, device=self.device) % len(self))
        return mapped(lambda x: x.float() if x.dtype == torch.uint8 else x, inputs)

    def check(self, recipe: Recipe) -> None:
        """Check that the recipe's augmentation can be used.

        Raises:
            ConfigError: The recipe augments images, and the examples are not images.
        """
        images = isinstance(self.inputs, Tensor) and self.inputs.ndim == 4
        if not images and (used := recipe.changes + recipe.mixes):
            shapes = ", ".join(str(tuple(tensor.shape)) for tensor in leaves(self.inputs))
            raise ConfigError(
                f"{' and '.join(used)} need images [examples, channels, height, width]: got "
                f"examples {shapes}; leave {' and '.join(used)} out"
            )


def _tensor(array: Any, device: torch.device) -> Tensor:
    with warnings.catch_warnings():
        # Torch warns of read-only memory; see the docstring of the class.
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(array).to(device)


def _norm(moments: Moments | None, ndim: int, device: torch.device) -> Norm:
    if moments is None:
        return None
    shape = moments.shape(ndim)[1:]
    mean = torch.tensor(moments.mean).reshape(shape).to(device)
    return mean, torch.tensor(moments.std).reshape(shape).to(device).reciprocal()


def _normalised(tensor: Tensor, norm: Norm) -> Tensor:
    if norm is None:
        return tensor
    normal = torch.sub(tensor, norm[0]).mul_(norm[1])
    return normal.contiguous(memory_format=torch.channels_last) if normal.ndim == 4 else normal


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
