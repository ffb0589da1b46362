"""Running out of memory, told from other errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from raynas.errors import TrialError

# In what CUDA and its libraries, and the CPU's allocator, say when there is no memory left.
_NO_MEMORY = ("out of memory", "ALLOC_FAILED", "DefaultCPUAllocator")


@contextmanager
def memory_fails() -> Iterator[None]:
    """Make running out of memory a failed trial; for what builds a child, as a decorator too.

    Raises:
        TrialError: Memory ran out.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        said = str(error)
        if isinstance(error, RuntimeError) and not any(sign in said for sign in _NO_MEMORY):
            raise
        raise TrialError(
            f"out of memory: {said.splitlines()[0] if said else 'no detail'}"
        ) from error
