"""The device on which a latency was measured."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path

import torch


@dataclass(frozen=True, slots=True)
class Device:
    """Where a latency was measured.

    Attributes:
        name: The name of the GPU, or of the CPU.
        threads: The threads of the CPU that compute; 0 for a GPU.
    """

    name: str
    threads: int = 0

    @classmethod
    def of(cls, device: torch.device) -> Device:
        """Return a device of this machine, with as many threads as there are now."""
        if device.type == "cuda":
            return cls(torch.cuda.get_device_name(device))
        return cls(_cpu(), torch.get_num_threads())

    def __str__(self) -> str:
        """Return the name, and the number of threads of a CPU."""
        plural = "" if self.threads == 1 else "s"
        return self.name + (f" ({self.threads} thread{plural})" if self.threads else "")


def devices_here(threads: int, *, gpus: bool) -> list[Device]:
    """Return the devices of this machine that a trial may get.

    Args:
        threads: The threads of a trial on the CPU.
        gpus: Whether it may get a GPU.
    """
    count = torch.cuda.device_count() if gpus else 0
    found = [Device.of(torch.device("cuda", at)) for at in range(count)]
    return [Device(_cpu(), threads), *found]


def _cpu() -> str:
    """Return the name of the CPU."""
    listed = Path("/proc/cpuinfo")
    lines = listed.read_text().splitlines() if listed.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()
