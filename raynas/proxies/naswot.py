"""How differently a network treats examples, by the units they switch on."""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import Tensor

from raynas.errors import SpaceError, TrialError
from raynas.proxies.subject import Subject
from raynas.proxies.watch import watching

_aten = torch.ops.aten
# ReLU and what has its shape from afar; ReLU6 is hardtanh to torch.
_GATES: Final = frozenset(
    getattr(_aten, f"{name}{place}")
    for name in ("relu", "hardtanh", "leaky_relu", "elu", "gelu", "silu", "hardswish")
    for place in ("", "_")
    if hasattr(_aten, f"{name}{place}")
)


def naswot(subject: Subject) -> float:
    """Return log det of the kernel of activation patterns (Mellor et al., 2021, arXiv:2006.04647).

    Differs from the authors' code: a ReLU that several layers read counts once, as it is computed;
    units of ReLU's kin (GELU, SiLU, Hardswish, …) count as on where their input is positive.

    Raises:
        SpaceError: There are no such units.
        TrialError: The kernel is singular: some examples cannot be told apart.
    """
    values = torch.linalg.eigvalsh(kernel(subject))
    least = float(values[-1]) * len(values) * torch.finfo(values.dtype).eps
    if values[0] <= least:
        raise TrialError(
            "naswot needs a network whose units switch differently for each of the "
            f"{len(values)} examples: their kernel is singular"
        )
    return float(values.log().sum())


def kernel(subject: Subject) -> Tensor:
    """Return ``[examples, examples]``: how many units two examples switch alike.

    Raises:
        SpaceError: There are no units that switch.
    """
    total = torch.zeros((), dtype=torch.float64, device=subject.batch.inputs.device)

    def add(given: Tensor, _: Any) -> None:
        nonlocal total
        signs = (given > 0).flatten(1).to(torch.float32).mul_(2).sub_(1)
        # X Xᵀ + (1 - X)(1 - X)ᵀ for X of zeros and ones; whole numbers, so float32 is exact.
        total = total + (signs @ signs.T).double().add_(signs.shape[1]).div_(2)

    child = subject.copy()
    with torch.no_grad(), watching(_GATES, add):
        child(subject.batch.inputs)
    if not total.ndim:
        raise SpaceError("naswot needs ReLUs or their kin: the network has none")
    return total
