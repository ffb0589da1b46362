"""The precision in which a network computes."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch


def precision_of(device: torch.device, precision: str = "auto") -> AbstractContextManager[None]:
    """Return the context of mixed precision.

    Args:
        device: The training device.
        precision: As in the recipe: ``auto`` for bfloat16 on a GPU that supports it.
    """
    bfloat16 = precision == "bfloat16"
    if precision == "auto" and device.type == "cuda":
        bfloat16 = torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.autocast(device.type, torch.bfloat16, enabled=bfloat16)
