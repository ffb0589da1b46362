"""Batches of a data set of a user's own, by torch's ``DataLoader``."""

from __future__ import annotations

import math
import random  # noqa: TID251 - a user's data set may draw from it
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, default_collate

from raynas.data import Data, LoopData
from raynas.data.dataset import length
from raynas.errors import ConfigError, DataError
from raynas.goals import Goal
from raynas.goals.outputs import described
from raynas.training.batches import Batches, Norm
from raynas.training.examples import Examples
from raynas.training.peers import Peers
from raynas.training.recipe import LEAST_ROWS, Recipe
from raynas.training.shipping import Shipped
from raynas.trees import first, leaves, mapped


def batches_of(
    part: Any, data: Data, device: torch.device, batch_size: int, workers: int = 0
) -> Batches:
    """Return the batches of a part of the data.

    Args:
        part: ``data.train``, ``data.valid``, ``data.test`` or ``data.merged()``.
        data: The data.
        device: The training device.
        batch_size: Examples per batch when a data set is scored.
        workers: Processes that load the examples of a data set; 0 for this process. The data may
            ask for another number.
    """
    if data.arrays:
        return Examples.of(part, data, device)
    asked = workers if data.workers is None else data.workers
    return Loaded(part, data, device, batch_size, asked)


def example(data: Data | LoopData, count: int) -> Any:
    """Return the inputs of a few examples, on the CPU, as a network gets them in training.

    Returns:
        A tensor, or a tree of tensors; none if the task has no example.
    """
    cpu = torch.device("cpu")
    if isinstance(data, Data):
        return batches_of(data.train, data, cpu, count).some(count)[0]
    if data.example is not None:
        rows = torch.arange(count)
        return mapped(lambda part: (t := torch.as_tensor(part))[rows % len(t)], data.example)
    shape = data.brief.get("input_shape")
    return None if shape is None else torch.zeros((count, *shape))


@dataclass(slots=True)
class Loaded:
    """A data set whose examples are loaded while the network is trained.

    Attributes:
        part: The data set.
        data: The data, for its goal and its ``collate``.
        device: The training device.
        batch_size: Examples per batch when the data set is scored.
        workers: Processes that load examples.
    """

    part: Any
    data: Data
    device: torch.device
    batch_size: int
    workers: int
    _order: list[Any] = field(init=False, default_factory=list)
    _loaders: dict[bool, DataLoader[Any]] = field(init=False, default_factory=dict)

    @property
    def goal(self) -> Goal:
        """What is learnt."""
        return self.data.goal

    @property
    def norms(self) -> Sequence[Norm]:
        """No normalisation: a data set normalises its examples itself."""
        return [None for _ in leaves(self.raw(1))]

    @property
    def repeatable(self) -> bool:
        """Whether the order of the examples is that of raynas, and not that of the data set."""
        return self._numbered and not self.data.batched

    def check(self, recipe: Recipe) -> None:
        """Check that the recipe's augmentation can be used.

        Raises:
            ConfigError: The recipe changes images, or mixes what are no images.
        """
        if used := " and ".join(recipe.changes):
            raise ConfigError(f"a data set changes its images itself: leave {used} out")
        if used := " and ".join(recipe.mixes):
            inputs = self.some(2)[0]
            if not (
                isinstance(inputs, Tensor) and inputs.ndim == 4 and inputs.is_floating_point()
            ):
                raise ConfigError(
                    f"{used} need images [batch, channels, height, width] of real numbers: got "
                    f"{described(inputs)}; leave {used} out"
                )

    def steps(self, batch_size: int) -> int:
        """Return the number of steps of an epoch; 0 if it is unknown."""
        known = length(self.part)
        if known is None:
            return 0
        if self.data.batched:
            return known
        return max(1, min(math.ceil(known / batch_size), known // 2))

    def training(self, recipe: Recipe, generator: torch.Generator) -> Iterator[tuple[Any, Any]]:
        """Yield the batches of an epoch, in random order if examples have numbers.

        A batch of one example is skipped, because batch normalisation needs two, unless it is the
        first.
        """
        _seed_globals(generator)
        known = length(self.part)
        if self._numbered and known is not None and not self.data.batched:
            order = torch.randperm(known, generator=generator, device=self.device).cpu().numpy()
            steps = np.array_split(order, self.steps(recipe.batch_size))
            self._order[:] = [rows.tolist() for rows in steps]
            yield from self._on_device(self._loader(ordered=True))
            return
        for at, (inputs, targets) in enumerate(self._on_device(self._stream(recipe.batch_size))):
            if at == 0 or len(first(targets)) > 1:
                yield inputs, targets

    def scoring(self) -> Iterator[tuple[Any, Any]]:
        """Yield all batches in their order."""
        yield from self._on_device(self._stream(self.batch_size))

    def some(self, count: int) -> tuple[Any, Any]:
        """Return the first examples as a batch; they repeat if there are less.

        Raises:
            DataError: The data set gives no example, or none that is a pair.
        """
        if self.data.batched:
            inputs, targets = self._first_batch()
            rows = torch.arange(count) % len(first(targets))
            return self._moved(mapped(lambda tensor: tensor[rows], (inputs, targets)))
        found = self._examples(count)
        if not found:
            raise DataError("a data set must give examples: it gives none")
        return self._moved(_pair(self._collate([found[at % len(found)] for at in range(count)])))

    def check_divisible(self, count: int) -> None:
        """Check that several processes can divide a batch.

        Args:
            count: How many processes there are.

        Raises:
            DataError: They cannot, or the data set gives no batch.
        """
        batch = self._first_batch() if self.data.batched else self.some(LEAST_ROWS * count)
        Peers(0, count).part(batch, self.goal)

    def _first_batch(self) -> tuple[Any, Any]:
        batch = next(iter(self.part), None)
        if batch is None:
            raise DataError("a data set must give batches: it gives none")
        return _pair(batch)

    def raw(self, count: int) -> Any:
        """Return the inputs of ``some``, on the CPU."""
        return mapped(lambda tensor: tensor.cpu(), self.some(count)[0])

    def _examples(self, count: int) -> list[Any]:
        if self._numbered:
            return [self.part[at] for at in range(min(count, length(self.part) or count))]
        return [one for one, _ in zip(self.part, range(count), strict=False)]

    @property
    def _numbered(self) -> bool:
        return hasattr(self.part, "__getitem__") and length(self.part) is not None

    @property
    def _collate(self) -> Any:
        return self.data.collate or default_collate

    def _moved(self, batch: tuple[Any, Any]) -> tuple[Any, Any]:
        return mapped(lambda tensor: tensor.to(self.device, non_blocking=True), batch)  # type: ignore[no-any-return]

    def _on_device(self, loader: DataLoader[Any]) -> Iterator[tuple[Any, Any]]:
        for batch in loader:
            inputs, targets = _pair(batch)
            yield self._moved((inputs, targets))

    def _loader(self, *, ordered: bool) -> DataLoader[Any]:
        """Return the loader of the epochs; its processes live as long as this object."""
        if ordered not in self._loaders:
            self._loaders[ordered] = self._made(batch_sampler=self._order)
        return self._loaders[ordered]

    def _stream(self, batch_size: int) -> DataLoader[Any]:
        """Return a loader of all examples in their order."""
        return self._made(batch_size=None if self.data.batched else batch_size)

    def _made(self, **more: Any) -> DataLoader[Any]:
        # An iterable in several processes would give each example several times.
        workers = self.workers if self._numbered else 0
        if workers:
            more |= {"multiprocessing_context": "spawn", "persistent_workers": True}
        return DataLoader(
            Shipped.of(_dataset(self.part), workers),
            collate_fn=None if self.data.batched else Shipped.of(self._collate, workers),
            num_workers=workers,
            pin_memory=self.device.type == "cuda",
            **more,
        )


def _pair(batch: Any) -> tuple[Any, Any]:
    """Return inputs and targets of a batch, as tensors.

    Raises:
        DataError: It is no pair.
    """
    if not (isinstance(batch, tuple | list) and len(batch) == 2):
        kind = f"{len(batch)} parts" if isinstance(batch, tuple | list) else type(batch).__name__
        raise DataError(f"a data set must give pairs (inputs, targets): it gives {kind}")
    inputs, targets = mapped(_tensor, (batch[0], batch[1]))
    return inputs, targets


def _tensor(part: Any) -> Tensor:
    try:
        return torch.as_tensor(part)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(
            f"a data set must give tensors, arrays or numbers: got {type(part).__name__}"
        ) from error


def _dataset(part: Any) -> Any:
    if hasattr(part, "__getitem__") or isinstance(part, Dataset):
        return part
    return Stream(part)


class Stream(IterableDataset[Any]):
    """Any iterable as a data set of torch."""

    def __init__(self, part: Any) -> None:
        """Keep the iterable."""
        self._part = part

    def __iter__(self) -> Iterator[Any]:
        """Begin again."""
        return iter(self._part)


def _seed_globals(generator: torch.Generator) -> None:
    """Seed numpy's and Python's global generators, from which a data set may draw."""
    seed = int(torch.randint(2**31, (), generator=generator, device=generator.device))
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - the user's code draws from it
