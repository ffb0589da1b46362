"""Copy a child."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


def copied(child: nn.Module) -> nn.Module:
    """Return a deep copy of a child.

    torch copies no tensor that was computed, and layers may hold one (those that
    ``torch.nn.utils.weight_norm`` has changed); of these the copy has the numbers alone.
    """
    from torch import Tensor  # noqa: PLC0415 - deciding must not load torch

    held = [value for layer in child.modules() for value in vars(layer).values()]
    computed = [value for value in held if isinstance(value, Tensor) and not value.is_leaf]
    return copy.deepcopy(child, {id(value): value.detach().clone() for value in computed})
