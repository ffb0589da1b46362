"""Memory of a device: errors when it runs out, and the peak of a trial."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from raynas.errors import TrialMemoryError

if TYPE_CHECKING:
    import torch

# Parts of the messages of CUDA, its libraries and the CPU's allocator when memory runs out.
_NO_MEMORY = ("out of memory", "ALLOC_FAILED", "DefaultCPUAllocator")


@contextmanager
def memory_fails() -> Iterator[None]:
    """Turn out-of-memory errors into ``TrialMemoryError``; also usable as a decorator.

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
    """Free the memory that the last trial left in the allocator, and start to measure the peak."""
    import torch  # noqa: PLC0415 - deciding must not load torch

    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def peak(device: torch.device) -> dict[str, float]:
    """Return ``peak_memory`` (of this process since ``begin_peak``) and ``device_memory``.

    Both are in bytes; for a CPU the result is empty. The peak counts the memory that the allocator
    has reserved, because other processes cannot use it. The context of CUDA, some hundred
    megabytes, is not included.
    """
    import torch  # noqa: PLC0415 - deciding must not load torch

    if device.type != "cuda":
        return {}
    return {
        "peak_memory": torch.cuda.max_memory_reserved(device),
        "device_memory": torch.cuda.get_device_properties(device).total_memory,
    }
