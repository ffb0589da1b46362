"""NASWOT: how much the activation patterns of units differ between examples."""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from typing import Any, Final

import torch
from torch import Tensor

from raynas.errors import SpaceError, TrialError
from raynas.intercept import Intercept
from raynas.proxies.subject import Subject

_aten = torch.ops.aten
# ReLU and activations of a similar shape; for torch, ReLU6 is hardtanh.
_GATES: Final = frozenset(
    getattr(_aten, f"{name}{place}")
    for name in ("relu", "hardtanh", "leaky_relu", "elu", "gelu", "silu", "hardswish")
    for place in ("", "_")
    if hasattr(_aten, f"{name}{place}")
)
# Operations that read units, and the argument that holds the units.
_READERS: Final = {_aten.convolution: 0, _aten.mm: 0, _aten.addmm: 1, _aten.linear: 0}


def naswot(subject: Subject) -> float:
    """Return log det of the kernel of activation patterns (Mellor et al., 2021, arXiv:2006.04647).

    Differs from the authors' code: units of similar activations (GELU, SiLU, Hardswish, …) count
    as on if their input is positive; and a ReLU counts once for every convolution or linear layer
    that reads it, as if each layer had its own ReLU, as in the networks of the paper.

    Raises:
        SpaceError: There are no such units.
        TrialError: The kernel is singular: some examples have the same pattern.
    """
    values = torch.linalg.eigvalsh(kernel(subject))
    least = float(values[-1]) * len(values) * torch.finfo(values.dtype).eps
    if values[0] <= least:
        raise TrialError(
            "naswot needs a different activation pattern for each of the "
            f"{len(values)} examples: the kernel of the patterns is singular"
        )
    return float(values.log().sum())


def kernel(subject: Subject) -> Tensor:
    """Return ``[examples, examples]``: how many units have the same state for two examples.

    Raises:
        SpaceError: There are no such units.
    """
    patterns = _Patterns()
    child = subject.copy()
    with torch.no_grad(), Intercept(patterns.compute):
        child(subject.batch.inputs)
    if not patterns.alike:
        raise SpaceError("naswot needs activations such as ReLU or GELU: the network has none")
    pairs = zip(patterns.alike, patterns.readers, strict=True)
    return torch.stack([alike * max(readers, 1) for alike, readers in pairs]).sum(0)


class _Patterns:
    """The activation patterns, and how often they are read.

    Attributes:
        alike: Per layer of units ``[examples, examples]``: how many have the same state.
        readers: Per layer of units: how many convolutions and linear layers read it.
    """

    def __init__(self) -> None:
        self.alike: list[Tensor] = []
        self.readers: list[int] = []
        self._places: dict[int, int] = {}  # of a layer, by the memory that holds its output

    def compute(self, func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Compute an operation and record its pattern."""
        packet = func.overloadpacket
        if packet not in _GATES:
            if packet in _READERS and (place := self._places.get(_memory(args[_READERS[packet]]))):
                self.readers[place - 1] += 1
            return func(*args, **kwargs)
        signs = (args[0] > 0).flatten(1).to(torch.float32).mul_(2).sub_(1)
        # X Xᵀ + (1 - X)(1 - X)ᵀ for X of zeros and ones; whole numbers, so float32 is exact.
        self.alike.append((signs @ signs.T).double().add_(signs.shape[1]).div_(2))
        self.readers.append(0)
        made = func(*args, **kwargs)
        self._places[_memory(made)] = len(self.readers)
        weakref.finalize(made.untyped_storage(), self._places.pop, _memory(made), None)
        return made


def _memory(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)  # noqa: SLF001 - not the data, which may move
