"""The memory of a training step on a task's data; this module can be imported without torch."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from raynas import costs
from raynas.data import Data, LoopData
from raynas.trees import leaves

if TYPE_CHECKING:
    from torch import nn


def resident_bytes(data: Data | LoopData) -> int:
    """Return the bytes of the examples that stay on the device; those of a data set do not."""
    if isinstance(data, LoopData) or not data.arrays:
        return 0
    return sum(split.nbytes for split in (data.train, data.valid))


def step_bytes(child: nn.Module, data: Data | LoopData, batch_size: int) -> int:
    """Return the peak memory of a training step, as ``costs.training_bytes`` does.

    For a task with its own loop, the loss is the sum of the outputs.

    """
    import torch  # noqa: PLC0415 - deciding must not load torch

    from raynas.training.loading import batches_of, example  # noqa: PLC0415
    from raynas.training.step import loss_of  # noqa: PLC0415

    if isinstance(data, LoopData):
        return costs.training_bytes(child, lambda n: (example(data, n), ()), batch_size, _total)
    batches = batches_of(data.train, data, torch.device("cpu"), batch_size)
    return costs.training_bytes(child, batches.some, batch_size, partial(loss_of, batches.goal))


def _total(outputs: Any, _targets: Any) -> Any:
    return sum(part.float().sum() for part in leaves(outputs))
