"""A trained child as files that can be used without raynas."""

from __future__ import annotations

import io
import warnings

import torch
from safetensors.torch import save
from torch import Tensor, nn

from raynas.data import Data


class Normalised(nn.Module):
    """A child behind its normalisation: takes inputs in the units of the task's data."""

    mean: Tensor
    std: Tensor

    def __init__(self, child: nn.Module, data: Data) -> None:
        """Put ``child`` behind the mean and deviation of ``data``."""
        super().__init__()
        shape = (-1,) + (1,) * (len(data.input_shape) - 1)
        self.child = child
        self.register_buffer("mean", torch.tensor(data.mean).reshape(shape))
        self.register_buffer("std", torch.tensor(data.std).reshape(shape))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return ``[batch, classes]`` logits for ``[batch, *input_shape]`` float32 inputs."""
        logits: Tensor = self.child((inputs - self.mean) / self.std)
        return logits


def exported(child: nn.Module, data: Data) -> dict[str, bytes]:
    """Return the files of a trained child by name; it is left on the CPU in evaluation mode.

    ``network.pt2`` is the whole network, normalisation included, for ``torch.export.load``;
    ``weights.safetensors`` is the child's own ``state_dict``.
    """
    child = child.cpu().to(memory_format=torch.contiguous_format).eval()
    weights = {name: tensor.contiguous() for name, tensor in child.state_dict().items()}
    example = torch.zeros((2, *data.input_shape))
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.export warns of its own internals
        batch = torch.export.Dim("batch", min=1)
        network = Normalised(child, data).eval()
        program = torch.export.export(network, (example,), dynamic_shapes=({0: batch},))
        torch.export.save(program, file)
    return {"network.pt2": file.getvalue(), "weights.safetensors": save(weights)}
