"""Export a trained child to files that work without raynas."""

from __future__ import annotations

import io
import warnings

import torch
from safetensors.torch import save
from torch import Tensor, nn

from raynas.data import Data
from raynas.training.exported import Exported


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


def exported(child: nn.Module, data: Data) -> Exported:
    """Return the files of a trained child; the child is moved to the CPU, in evaluation mode.

    ``weights.safetensors`` is the child's own ``state_dict``; ``network.pt2`` is the whole
    network, normalisation included, for ``torch.export.load``. torch cannot export a network whose
    ``forward`` depends on values or works for one batch size only.
    """
    child = child.cpu().to(memory_format=torch.contiguous_format).eval()
    state = {name: tensor.contiguous() for name, tensor in child.state_dict().items()}
    weights = {"weights.safetensors": save(state)}
    try:
        network = _program(child if data.train.ids else Normalised(child, data).eval(), data)
    except Exception as error:  # noqa: BLE001 - what torch.export raises is not documented
        return Exported(weights, f"{type(error).__name__}: {error}")
    return Exported({"network.pt2": network, **weights})


def _program(network: nn.Module, data: Data) -> bytes:
    example = torch.zeros((2, *data.input_shape), dtype=getattr(torch, data.input_dtype))
    batch = torch.export.Dim("batch", min=1)
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.export warns of its own internals
        program = torch.export.export(network, (example,), dynamic_shapes=({0: batch},))
        torch.export.save(program, file)
    return file.getvalue()
