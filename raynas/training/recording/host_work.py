"""Find the host's part in a step. Loads torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from raynas.intercept import Intercept
from raynas.trees import leaves

_READS = torch.ops.aten._local_scalar_dense.default  # noqa: SLF001 - tensor.item(), if tensor


class HostWork(Intercept):  # type: ignore[no-untyped-call]  # torch's own
    """Inside this context, every operation is watched, also those of the backward pass.

    Attributes:
        found: The first operation that reads a number or uses a tensor of the host; empty if there
            is none.
    """

    def __init__(self, device: torch.device) -> None:
        """Watch for operations outside a type of device."""
        super().__init__(self._watched)
        self.found = ""
        self._device = device.type

    def _watched(self, func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        made = func(*args, **kwargs)
        if not self.found and (func is _READS or self._on_host((args, kwargs, made))):
            self.found = str(func)
        return made

    def _on_host(self, tree: Any) -> bool:
        tensors = (leaf for leaf in leaves(tree) if isinstance(leaf, Tensor))
        return any(tensor.device.type != self._device for tensor in tensors)
