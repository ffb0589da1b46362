"""Export a trained child to files that work without raynas."""

from __future__ import annotations

import io
import warnings

import torch
from safetensors.torch import save
from torch import Tensor, nn

from raynas.data import Data
from raynas.training.exported import OTHER_WEIGHTS, PROGRAM, WEIGHTS, Exported


class Normalised(nn.Module):
    """A child with its normalisation in front: its inputs have the units of the task's data."""

    mean: Tensor
    std: Tensor

    def __init__(self, child: nn.Module, data: Data) -> None:
        """Keep ``child``, and the mean and deviation of ``data``."""
        super().__init__()
        shape = (-1,) + (1,) * (len(data.input_shape) - 1)
        self.child = child
        self.register_buffer("mean", torch.tensor(data.mean).reshape(shape))
        self.register_buffer("std", torch.tensor(data.std).reshape(shape))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return ``[batch, classes]`` logits for ``[batch, *input_shape]`` float32 inputs."""
        logits: Tensor = self.child((inputs - self.mean) / self.std)
        return logits


def weights(child: nn.Module) -> Exported:
    """Return ``weights.safetensors``: the child's own ``state_dict``, every tensor by itself.

    Tensors that share memory (of a layer that is used twice, of tied weights) are each written
    out, so the file can be loaded into the same module as it is. What safetensors cannot hold
    (numbers of a rare type, an extra state that is no tensor) is written as torch does it.
    """
    state, contiguous = child.state_dict(), torch.contiguous_format
    try:
        own = {name: part.cpu().clone(memory_format=contiguous) for name, part in state.items()}
        return Exported({WEIGHTS: save(own)})
    except Exception as error:  # noqa: BLE001 - a child's own code makes the state
        file = io.BytesIO()
        torch.save(state, file)
        return Exported({OTHER_WEIGHTS: file.getvalue()}, f"{type(error).__name__}: {error}")


def program(child: nn.Module, data: Data) -> Exported:
    """Return ``network.pt2``, for ``torch.export.load``: the network with its normalisation.

    The child is moved to the CPU, in evaluation mode. torch cannot export a network whose
    ``forward`` depends on values or works for one batch size only.
    """
    try:
        child = child.cpu().to(memory_format=torch.contiguous_format).eval()
        network = _program(child if data.train.ids else Normalised(child, data).eval(), data)
    except Exception as error:  # noqa: BLE001 - what torch.export raises is not documented
        return Exported({}, f"{type(error).__name__}: {error}")
    return Exported({PROGRAM: network})


def _program(network: nn.Module, data: Data) -> bytes:
    example = torch.zeros((2, *data.input_shape), dtype=getattr(torch, data.input_dtype))
    batch = torch.export.Dim("batch", min=1)
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.export warns of its own internals
        program = torch.export.export(network, (example,), dynamic_shapes=({0: batch},))
        torch.export.save(program, file)
    return file.getvalue()
