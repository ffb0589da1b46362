"""The examples for proxies; this module can be imported without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from raynas.data import Data
from raynas.data.dataset import length
from raynas.errors import ConfigError, SpaceError
from raynas.goals import Goal
from raynas.rng import batch_rng
from raynas.trees import first, leaves, mapped

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Batch:
    """A few normalised training examples, on the device of the computation.

    Attributes:
        inputs: ``[examples, *input_shape]`` float32, or int64 (ids), or a tree of such tensors.
        targets: The targets, likewise, such as labels ``[examples]`` int64.
        goal: What is learnt.

    Raises:
        ConfigError: There are fewer than two examples, or an example has no target.
    """

    inputs: Any
    targets: Any
    goal: Goal

    def __post_init__(self) -> None:
        """Check the number of examples and targets."""
        counts = (len(first(self.inputs)), len(first(self.targets)))
        if counts[0] != counts[1] or counts[0] < 2:
            raise ConfigError(
                "a batch needs two examples or more, each with a target: "
                f"got {counts[0]} examples and {counts[1]} targets"
            )

    @classmethod
    def of(cls, data: Data, *, size: int = 64, seed: int = 0, device: str = "cpu") -> Batch:
        """Draw training examples of a task; the same seed gives the same examples.

        Args:
            data: The task's data.
            size: The largest number of examples.
            seed: The run's seed.
            device: The device to put them on.
        """
        import torch  # noqa: PLC0415 - deciding must not load torch

        from raynas.training.loading import batches_of  # noqa: PLC0415

        known = length(data.train)
        count = size if known is None else min(size, known)
        part = data.train
        if data.arrays:
            part = part.take(batch_rng(seed).permutation(len(part))[:size])
        batches = batches_of(part, data, torch.device(device), size)
        return cls(*batches.some(count), batches.goal)

    @property
    def device(self) -> Any:
        """The device of the computation."""
        return first(self.inputs).device

    @property
    def one(self) -> Any:
        """The inputs of the first example, as a batch."""
        return mapped(lambda tensor: tensor[:1], self.inputs)

    @property
    def ids(self) -> bool:
        """Whether an input is ids, which have no gradients and no small changes."""
        return any(not tensor.is_floating_point() for tensor in leaves(self.inputs))

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one example, such as (channels, height, width).

        Raises:
            SpaceError: There are several inputs.
        """
        return tuple(self.single.shape[1:])

    @property
    def single(self) -> Tensor:
        """The inputs, if they are one tensor.

        Raises:
            SpaceError: There are several inputs.
        """
        found = [*leaves(self.inputs)]
        if len(found) != 1:
            raise SpaceError(f"this proxy needs one tensor as input: the task has {len(found)}")
        return found[0]  # type: ignore[no-any-return]
