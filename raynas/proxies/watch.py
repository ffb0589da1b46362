"""Seeing what a network computes, whether by modules or by calls of functions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode


class Watch(TorchDispatchMode):
    """Within it, some operations are shown before they are computed.

    Hooks of modules would not see ``torch.nn.functional.relu`` or ``x.mean((2, 3))``, and would
    see what an operation in place has left of its input.
    """

    def __init__(self, operations: Collection[Any], show: Callable[[Tensor, Any], None]) -> None:
        """Prepare.

        Args:
            operations: Members of ``torch.ops.aten``.
            show: Is given an operation's first argument, and the second or none.
        """
        super().__init__()
        self._operations = operations
        self._show = show

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Show an operation, if it is among those watched, then compute it."""
        if func.overloadpacket in self._operations:
            self._show(args[0], args[1] if len(args) > 1 else None)
        return func(*args, **(kwargs or {}))
