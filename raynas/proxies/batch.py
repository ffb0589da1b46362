"""The examples for proxies; this module can be imported without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from raynas.data import Data
from raynas.errors import ConfigError
from raynas.rng import batch_rng

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Batch:
    """A few normalised training examples, on the device of the computation.

    Attributes:
        inputs: ``[examples, *input_shape]`` float32, or int64 (ids).
        labels: ``[examples]`` int64.
        classes: How many classes there are.

    Raises:
        ConfigError: There are fewer than two examples, or an example has no label.
    """

    inputs: Tensor
    labels: Tensor
    classes: int

    def __post_init__(self) -> None:
        """Check the number of examples and labels."""
        if len(self.inputs) != len(self.labels) or len(self.inputs) < 2:
            raise ConfigError(
                "a batch needs two examples or more, each with a label: "
                f"got {len(self.inputs)} examples and {len(self.labels)} labels"
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

        from raynas.training.examples import Examples  # noqa: PLC0415

        rows = batch_rng(seed).permutation(len(data.train))[:size]
        examples = Examples.of(data.train.take(rows), data, torch.device(device))
        return cls(examples.normalised(examples.inputs), examples.labels, data.classes)

    @property
    def ids(self) -> bool:
        """Whether the inputs are ids, which have no gradients and no small changes."""
        return not self.inputs.is_floating_point()

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one example, such as (channels, height, width)."""
        return tuple(self.inputs.shape[1:])
