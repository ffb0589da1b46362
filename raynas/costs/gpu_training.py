"""What decides the memory of training on a GPU, beside the child and its examples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_MIB: Final = 2**20


@dataclass(frozen=True, slots=True)
class GPUTraining:
    """How a child is trained on a GPU, and what libraries need there.

    Attributes:
        bfloat16: Whether mixed precision is used.
        moments: How many tensors like a parameter are kept for each parameter.
        scored: How many examples are scored at once after an epoch; 0 for no scoring.
        recorded: Whether steps are recorded as CUDA graphs. Recordings have a pool of memory of
            their own, which cannot use what the steps before them have left in the usual one
            ("CUDA graphs", "Graph memory management", in the notes of torch).
        workspace: Bytes of cuBLAS, for each of two threads. The default is that of an H100; torch
            takes 8 MiB on GPUs before it.
        beside: Other bytes that the allocator reserves: workspaces of cuDNN, and what cannot be
            given back. On an H100 it was 720 to 1000 MiB, as much for small networks as for large.
    """

    bfloat16: bool = True
    moments: int = 1
    scored: int = 0
    recorded: bool = False
    workspace: int = 32 * _MIB
    beside: int = 936 * _MIB
