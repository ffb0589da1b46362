"""Copy a child."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn


def copied(child: nn.Module) -> nn.Module:
    """Return a deep copy of a child.

    torch copies no tensor that was computed, and layers may hold one (those that
    ``torch.nn.utils.weight_norm`` has changed); of these the copy has the numbers alone.
    """
    computed = [value for value in _held(child) if not value.is_leaf]
    return copy.deepcopy(child, {id(value): value.detach().clone() for value in computed})


def without_numbers(child: nn.Module) -> nn.Module:
    """Return a deep copy of a child on torch's device ``meta``: shapes, but no numbers.

    It takes no memory for tensors. It can compute shapes, and fails where numbers matter.
    """
    tensors = [*child.parameters(), *child.buffers(), *_held(child)]
    return copy.deepcopy(child, {id(tensor): _shape(tensor) for tensor in tensors})


def _held(child: nn.Module) -> list[Tensor]:
    """Return the tensors that layers hold as plain attributes."""
    from torch import Tensor  # noqa: PLC0415 - deciding must not load torch

    held = (value for layer in child.modules() for value in vars(layer).values())
    return [value for value in held if isinstance(value, Tensor)]


def _shape(tensor: Tensor) -> Tensor:
    from torch import nn  # noqa: PLC0415 - deciding must not load torch

    shape = tensor.detach().to("meta")
    if isinstance(tensor, nn.Parameter):
        return nn.Parameter(shape, tensor.requires_grad)
    return shape.requires_grad_(tensor.requires_grad)
