"""Seeing what a network computes, whether by modules or by calls of functions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from torch import Tensor

from raynas.costs.intercept import Intercept


def watching(operations: Collection[Any], show: Callable[[Tensor, Any], None]) -> Intercept:
    """Return a context within which some operations are shown before they are computed.

    Args:
        operations: Members of ``torch.ops.aten``.
        show: Is given an operation's first argument, and the second or none.
    """

    def compute(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        if func.overloadpacket in operations:
            show(args[0], args[1] if len(args) > 1 else None)
        return func(*args, **kwargs)

    return Intercept(compute)
