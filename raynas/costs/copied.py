"""Copy a child."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn


def copied(child: nn.Module) -> nn.Module:
    """Return a deep copy of a child.

    torch copies no tensor that was computed, and layers may hold one (those that
    ``torch.nn.utils.weight_norm`` has changed); of these the copy has the numbers alone.
    """
    computed = [value for value in _attributes(child) if not value.is_leaf]
    return copy.deepcopy(child, {id(value): value.detach().clone() for value in computed})


def without_numbers(child: nn.Module, blank: Callable[[Tensor], Tensor]) -> nn.Module:
    """Return a deep copy of a child with other tensors; those that it shares stay shared.

    Args:
        child: The network.
        blank: Returns a tensor of the same shape and type.
    """
    from torch import nn  # noqa: PLC0415 - deciding must not load torch

    def replaced(tensor: Tensor) -> Tensor:
        other = blank(tensor.detach())
        if isinstance(tensor, nn.Parameter):
            return nn.Parameter(other, tensor.requires_grad)
        return other.requires_grad_(tensor.requires_grad)

    tensors = [*child.parameters(), *child.buffers(), *_attributes(child)]
    return copy.deepcopy(child, {id(tensor): replaced(tensor) for tensor in tensors})


def _attributes(child: nn.Module) -> list[Tensor]:
    """Return the tensors that layers hold as plain attributes."""
    from torch import Tensor  # noqa: PLC0415 - deciding must not load torch

    held = (value for layer in child.modules() for value in vars(layer).values())
    return [value for value in held if isinstance(value, Tensor)]
