"""Memory of a device: running out of it, and how much of it a trial took."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from raynas.errors import TrialMemoryError

if TYPE_CHECKING:
    import torch

# In what CUDA and its libraries, and the CPU's allocator, say when there is no memory left.
_NO_MEMORY = ("out of memory", "ALLOC_FAILED", "DefaultCPUAllocator")


@contextmanager
def memory_fails() -> Iterator[None]:
    """Make running out of memory a failed trial; for what builds a child, as a decorator too.

    Raises:
        TrialMemoryError: Memory ran out.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        said = str(error)
        if isinstance(error, RuntimeError) and not any(sign in said for sign in _NO_MEMORY):
            raise
        raise TrialMemoryError(
            f"out of memory: {said.splitlines()[0] if said else 'no detail'}"
        ) from error


def begin_peak(device: torch.device) -> None:
    """Give back what the last trial left in the allocator, and measure the peak from here on."""
    import torch  # noqa: PLC0415 - deciding must not load torch

    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def peak(device: torch.device) -> dict[str, float]:
    """Return ``peak_memory``, the most this process has held since, and ``device_memory``.

    Both are bytes; on a CPU there is neither. What is held is what the allocator has reserved,
    for that is what other processes on the device cannot have; CUDA's own context, some hundred
    megabytes, is not in it.
    """
    import torch  # noqa: PLC0415 - deciding must not load torch

    if device.type != "cuda":
        return {}
    return {
        "peak_memory": torch.cuda.max_memory_reserved(device),
        "device_memory": torch.cuda.get_device_properties(device).total_memory,
    }
