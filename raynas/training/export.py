"""Export a trained child to files that work without raynas."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from raynas.data import Data
from raynas.logits import logits_of
from raynas.training.exported import OTHER_WEIGHTS, PROGRAM, WEIGHTS, Exported


class Logits(nn.Module):
    """A child of which only the logits are returned."""

    def __init__(self, child: nn.Module) -> None:
        """Keep ``child``."""
        super().__init__()
        self.child = child

    def forward(self, inputs: Tensor) -> Tensor:
        """Return ``[batch, classes]`` logits for ``[batch, *input_shape]`` int64 inputs."""
        return logits_of(self.child(inputs))


class Normalised(Logits):
    """A child with its normalisation in front: its inputs have the units of the task's data."""

    mean: Tensor
    std: Tensor

    def __init__(self, child: nn.Module, data: Data) -> None:
        """Keep ``child``, and the mean and deviation of ``data``."""
        super().__init__(child)
        shape = (-1,) + (1,) * (len(data.input_shape) - 1)
        self.register_buffer("mean", torch.tensor(data.mean).reshape(shape))
        self.register_buffer("std", torch.tensor(data.std).reshape(shape))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return ``[batch, classes]`` logits for ``[batch, *input_shape]`` float32 inputs."""
        return super().forward((inputs - self.mean) / self.std)


def weights(child: nn.Module) -> Exported:
    """Return ``weights.safetensors``: the child's own ``state_dict``, every tensor by itself.

    Tensors that share memory (of a layer that is used twice, of tied weights) are each written
    out, so the file can be loaded into the same module as it is. What safetensors cannot hold
    (numbers of a rare type, an extra state that is no tensor) is written as torch does it.
    """
    state = child.state_dict()
    try:
        return Exported({WEIGHTS: _safe(state)})
    except Exception as error:  # noqa: BLE001 - a child's own code makes the state
        why = f"safetensors cannot hold them: {type(error).__name__}: {error}"
    try:
        file = io.BytesIO()
        torch.save(state, file)
        return Exported({OTHER_WEIGHTS: file.getvalue()}, why)
    except Exception as error:  # noqa: BLE001 - likewise
        return Exported({}, f"{why}; nor can torch.save: {type(error).__name__}: {error}")


def _safe(state: Mapping[str, Any]) -> bytes:
    if others := [name for name, part in state.items() if not isinstance(part, Tensor)]:
        raise TypeError(f"it holds tensors alone, and not {', '.join(others)}")
    contiguous = torch.contiguous_format
    return save({name: part.cpu().clone(memory_format=contiguous) for name, part in state.items()})


def program(child: nn.Module, data: Data) -> Exported:
    """Return ``network.pt2``, for ``torch.export.load``: the network with its normalisation.

    The child is moved to the CPU, in evaluation mode. torch cannot export a network whose
    ``forward`` depends on values or works for one batch size only.
    """
    try:
        child = child.cpu().to(memory_format=torch.contiguous_format).eval()
        network = Logits(child) if data.train.ids else Normalised(child, data)
        content = _program(network.eval(), data)
    except Exception as error:  # noqa: BLE001 - what torch.export raises is not documented
        return Exported({}, f"{type(error).__name__}: {error}")
    return Exported({PROGRAM: content})


def _program(network: nn.Module, data: Data) -> bytes:
    example = torch.zeros((2, *data.input_shape), dtype=getattr(torch, data.input_dtype))
    batch = torch.export.Dim("batch", min=1)
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.export warns of its own internals
        program = torch.export.export(network, (example,), dynamic_shapes=({0: batch},))
        torch.export.save(program, file)
    return file.getvalue()
