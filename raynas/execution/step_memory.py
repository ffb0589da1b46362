"""The memory of training on a task's data; this module can be imported without torch."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from raynas import costs
from raynas.data import Data, LoopData
from raynas.data.dataset import length
from raynas.training.recipe import Recipe
from raynas.trees import leaves

if TYPE_CHECKING:
    from torch import nn

_SCORED: Final = 1000  # examples that are scored at once on a GPU, if they are arrays
_MOMENTS: Final = {"sgd": 1, "lion": 1}  # tensors per parameter; most other optimizers keep two

_COPIES: Final = 4  # of a weight: itself, its gradient, and two tensors of an optimizer


def resident_bytes(data: Data | LoopData) -> int:
    """Return the bytes of the examples that stay on the device; those of a data set do not."""
    if isinstance(data, LoopData) or not data.arrays:
        return 0
    return sum(split.nbytes for split in (data.train, data.valid))


def step_bytes(
    child: nn.Module,
    data: Data | LoopData,
    batch_size: int,
    gpu: costs.GPUTraining | None = None,
) -> int:
    """Return the memory of training, as ``costs.training_bytes`` does.

    For a task with its own loop, the loss is the sum of the outputs. If it has no example, only
    the weights, their gradients and the optimizer's tensors are counted.

    Args:
        child: The network.
        data: The data.
        batch_size: Examples per step.
        gpu: How the child will be trained on a GPU; none to look at its own device.
    """
    import torch  # noqa: PLC0415 - deciding must not load torch

    from raynas.training.loading import batches_of, example  # noqa: PLC0415
    from raynas.training.step import loss_of  # noqa: PLC0415

    if isinstance(data, LoopData) and example(data, 1) is None:
        return sum(tensor.nbytes * _COPIES for tensor in child.parameters())
    if isinstance(data, LoopData):
        some = lambda count: (example(data, count), ())  # noqa: E731
        return costs.training_bytes(child, some, batch_size, _total, gpu)
    batches = batches_of(data.train, data, torch.device("cpu"), batch_size)
    loss = partial(loss_of, batches.goal)
    return costs.training_bytes(child, batches.some, batch_size, loss, gpu)


def on_gpu(recipe: Recipe, data: Data | LoopData, *, bfloat16: bool) -> costs.GPUTraining:
    """Return how a recipe trains on a GPU.

    Args:
        recipe: The recipe.
        data: The data.
        bfloat16: Whether the GPU supports bfloat16.
    """
    half = recipe.precision == "bfloat16" or (recipe.precision == "auto" and bfloat16)
    moments = _MOMENTS.get(recipe.optimizer, 2) + bool(recipe.ema)
    eager = recipe.compile or recipe.accumulate > 1
    recorded = recipe.cuda_graphs and not eager and not isinstance(data, LoopData)
    return costs.GPUTraining(half, moments, _scored(recipe, data), recorded)


def _scored(recipe: Recipe, data: Data | LoopData) -> int:
    if isinstance(data, LoopData):
        return 0
    return min(length(data.valid) or 1, _SCORED) if data.arrays else recipe.batch_size


def _total(outputs: Any, _targets: Any) -> Any:
    return sum(part.float().sum() for part in leaves(outputs))
