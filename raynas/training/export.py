"""Export a trained child to files that work without raynas."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from raynas.data import Data, LoopData
from raynas.goals import Goal
from raynas.training.batches import Norm
from raynas.training.exported import OTHER_WEIGHTS, PROGRAM, WEIGHTS, Exported
from raynas.training.loading import batches_of, example
from raynas.trees import leaves, mapped


class Predictions(nn.Module):
    """A child with the normalisation of its inputs in front, which returns its predictions.

    Its inputs and outputs have the units of the task's data.
    """

    def __init__(self, child: nn.Module, goal: Goal | None, norms: Sequence[Norm]) -> None:
        """Keep the parts.

        Args:
            child: The network.
            goal: Says which of its outputs are predictions; none for all.
            norms: The normalisation of each leaf of the inputs.
        """
        super().__init__()
        self.child = child
        self.goal = goal
        self._count = len(norms)
        for at, norm in enumerate(norms):
            mean, scale = norm or (None, None)
            self.register_buffer(f"mean{at}", mean)
            self.register_buffer(f"std{at}", None if scale is None else scale.reciprocal())

    def forward(self, inputs: Any) -> Any:
        """Return the predictions, such as logits, for a batch of inputs, float32 or int64."""
        outputs = self.child(self.normal(inputs))
        return outputs if self.goal is None else self.goal.predictions(outputs)

    def normal(self, inputs: Any) -> Any:
        """Return the inputs as the child takes them."""
        numbers = iter(range(self._count))
        return mapped(lambda tensor: self._normal(tensor, next(numbers)), inputs)

    def _normal(self, inputs: Tensor, at: int) -> Tensor:
        mean, std = getattr(self, f"mean{at}"), getattr(self, f"std{at}")
        return inputs if mean is None else (inputs - mean) / std


def weights(child: nn.Module) -> Exported:
    """Return ``weights.safetensors``: the child's own ``state_dict``, every tensor by itself.

    Tensors that share memory (of a layer that is used twice, of tied weights) are each written
    out, so the file can be loaded into the same module as it is. What safetensors cannot hold
    (numbers of a rare type, an extra state that is no tensor) is written as torch does it.
    """
    state = child.state_dict()
    try:
        return Exported({WEIGHTS: save(safe(state))})
    except Exception as error:  # noqa: BLE001 - a child's own code makes the state
        why = f"safetensors cannot hold them: {type(error).__name__}: {error}"
    try:
        file = io.BytesIO()
        torch.save(state, file)
        return Exported({OTHER_WEIGHTS: file.getvalue()}, why)
    except Exception as error:  # noqa: BLE001 - likewise
        return Exported({}, f"{why}; nor can torch.save: {type(error).__name__}: {error}")


def safe(state: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return a state as safetensors can hold it: each tensor by itself, on the CPU.

    Raises:
        TypeError: Something in it is no tensor.
    """
    if others := [name for name, part in state.items() if not isinstance(part, Tensor)]:
        raise TypeError(f"it holds tensors alone, and not {', '.join(others)}")
    contiguous = torch.contiguous_format
    return {name: part.cpu().clone(memory_format=contiguous) for name, part in state.items()}


@dataclass(frozen=True, slots=True)
class Interface:
    """What the exported network takes and gives.

    Attributes:
        inputs: Inputs of two examples in the units of the data; none if the task has no example.
        norms: The normalisation of each leaf of the inputs.
        goal: Says which outputs are predictions; none for all.
    """

    inputs: Any
    norms: Sequence[Norm]
    goal: Goal | None


def interface(data: Data | LoopData) -> Interface:
    """Return the interface of a network that is trained on the data."""
    if isinstance(data, LoopData):
        inputs = example(data, 2)
        return Interface(inputs, [None for _ in leaves(inputs)], None)
    batches = batches_of(data.train, data, torch.device("cpu"), 2)
    return Interface(batches.raw(2), batches.norms, data.goal)


def predictions_of(child: nn.Module, found: Interface) -> Predictions:
    """Return a child with its normalisation, on the CPU, in evaluation mode."""
    child = child.cpu().to(memory_format=torch.contiguous_format).eval()
    return Predictions(child, found.goal, found.norms).eval()


def program(child: nn.Module, data: Data | LoopData) -> Exported:
    """Return ``network.pt2``, for ``torch.export.load``: the network with its normalisation.

    The child is moved to the CPU, in evaluation mode. torch cannot export a network whose
    ``forward`` depends on values or works for one batch size only.
    """
    try:
        found = interface(data)
        if found.inputs is None:
            return Exported({}, "the task has no example of the network's inputs")
        program = traced_program(predictions_of(child, found), found.inputs)
        content = saved(program)
    except Exception as error:  # noqa: BLE001 - what torch.export raises is not documented
        return Exported({}, f"{type(error).__name__}: {error}")
    return Exported({PROGRAM: content})


def saved(program: torch.export.ExportedProgram) -> bytes:
    """Return a program as the contents of a file for ``torch.export.load``."""
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.export warns of its own internals
        torch.export.save(program, file)
    return file.getvalue()


def traced_program(network: nn.Module, example: Any) -> torch.export.ExportedProgram:
    """Return a network as a program for batches of any size; torch says what it cannot export."""
    batch = torch.export.Dim("batch", min=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.export warns of its own internals
        shapes = mapped(lambda _: {0: batch}, example)
        return torch.export.export(network, (example,), dynamic_shapes=(shapes,))
