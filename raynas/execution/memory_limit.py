"""The memory of what trains."""

from __future__ import annotations

from dataclasses import dataclass

from raynas.execution.gpu_device import GPUDevice, smallest_device
from raynas.execution.machine_memory import machine_memory


@dataclass(frozen=True, slots=True)
class MemoryLimit:
    """How much memory there is for what is trained.

    Attributes:
        memory: Its bytes.
        what: What has the memory, in words.
        is_gpu: Whether that is a GPU.
        bfloat16: Whether it computes in bfloat16.
    """

    memory: float
    what: str
    is_gpu: bool = False
    bfloat16: bool = False

    @classmethod
    def of_gpu(cls, device: GPUDevice, what: str) -> MemoryLimit:
        """Return the memory of a GPU."""
        return cls(device.memory, what, is_gpu=True, bfloat16=device.bfloat16)


def limit_here(*, gpus: bool) -> MemoryLimit:
    """Return the memory of this machine, or of its smallest GPU.

    Args:
        gpus: Whether a GPU is used if there is one.
    """
    device = smallest_device() if gpus else None
    if device is None:
        return MemoryLimit(machine_memory(), "this machine")
    return MemoryLimit.of_gpu(device, "the smallest GPU")
