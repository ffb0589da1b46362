"""What is known of a GPU before a trial has run on it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GPUDevice:
    """A GPU.

    Attributes:
        memory: Its memory in bytes.
        bfloat16: Whether it computes in bfloat16.
    """

    memory: float
    bfloat16: bool = True


def smallest_device() -> GPUDevice | None:
    """Return what all GPUs of this machine have at least; none if there is none."""
    import torch  # noqa: PLC0415 - deciding must not load torch

    found = [torch.cuda.get_device_properties(at) for at in range(torch.cuda.device_count())]
    if not found:
        return None
    # Like ``torch.cuda.is_bf16_supported(including_emulation=False)``, for every device.
    return GPUDevice(min(one.total_memory for one in found), min(one.major for one in found) >= 8)
