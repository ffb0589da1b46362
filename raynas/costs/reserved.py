"""Predict, without a GPU, what torch's allocator reserves while a child is trained there.

Loads torch.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import torch
from torch import Tensor, nn

from raynas.costs.allocator import Block, CachingAllocator
from raynas.costs.copied import without_numbers
from raynas.costs.cuda_autocast import CUDAAutocast
from raynas.costs.gpu_training import GPUTraining
from raynas.costs.unwritten import blank, shaped
from raynas.intercept import Intercept
from raynas.trees import mapped

_STEPS: Final = 2  # the second one uses blocks that the first one has left
_BLAS: Final = frozenset(f"aten::{name}" for name in ("mm", "addmm", "bmm", "baddbmm"))

Pair = tuple[Any, Any]
Loss = Callable[[Any, Any], Tensor]


@dataclass(frozen=True, slots=True)
class Allocators:
    """Where the memory of a training comes from.

    Attributes:
        usual: What serves all steps that are not recorded.
        pool: What serves the recordings of steps, of which only one runs at a time.
    """

    usual: CachingAllocator = field(default_factory=CachingAllocator)
    pool: CachingAllocator = field(default_factory=CachingAllocator)

    @property
    def reserved(self) -> int:
        """The bytes that both reserve."""
        return self.usual.reserved + self.pool.reserved


def after_training(
    child: nn.Module, examples: Pair, batch_size: int, loss: Loss, gpu: GPUTraining
) -> Allocators:
    """Return the allocators after two steps of training and the scoring of a batch.

    If steps are recorded, a step and a scoring follow in the pool of recordings. That is more than
    is reserved if the child turns out not to be recordable.

    Nothing is computed, and tensors take no memory. Whatever fails without numbers raises.

    Args:
        child: The network, on any device, also ``meta``; it is not changed.
        examples: The inputs and targets of a few examples.
        batch_size: Examples per step.
        loss: Returns the loss of outputs and targets.
        gpu: How the child is trained.
    """
    child = without_numbers(child, blank)
    memory = _Memory(gpu.workspace)
    trained = [one for one in child.parameters() if one.requires_grad]
    moments = [blank(one) for one in trained for _ in range(gpu.moments)]
    memory.hold((*child.parameters(), *child.buffers(), *moments))
    with Intercept(memory.compute):
        for _ in range(_STEPS):
            _step(child, _batch(examples, batch_size), loss, memory, gpu)
        _score(child, examples, gpu)
        if gpu.recorded:
            memory.record()
            _step(child, _batch(examples, batch_size), loss, memory, gpu)
            _score(child, examples, gpu)
    return memory.allocators


def _score(child: nn.Module, examples: Pair, gpu: GPUTraining) -> None:
    """Score a batch, if anything is scored."""
    if not gpu.scored:
        return
    with torch.no_grad(), _precision(gpu):
        child.eval()(_batch(examples, gpu.scored)[0])


def _step(child: nn.Module, batch: Pair, loss: Loss, memory: _Memory, gpu: GPUTraining) -> None:
    inputs, targets = batch
    with _precision(gpu):
        found = loss(child.train()(inputs), targets)
    memory.thread = "backward"
    torch.autograd.backward(found)
    memory.thread = "forward"
    for parameter in child.parameters():
        parameter.grad = None


@contextmanager
def _precision(gpu: GPUTraining) -> Iterator[None]:
    """Compute in mixed precision, if it is used."""
    if not gpu.bfloat16:
        yield
        return
    with torch.autocast("cpu", torch.bfloat16), CUDAAutocast():
        yield


def _batch(examples: Pair, count: int) -> Pair:
    """Return a batch of the form of a few examples; it is allocated where this is intercepted."""
    return mapped(lambda part: blank(part, count if part.ndim else None), examples)  # type: ignore[no-any-return]


class _Memory:
    """Computes the shapes of operations, and allocates the tensors that they make.

    Attributes:
        allocators: Where tensors are allocated.
        thread: The thread that computes; each has a workspace of cuBLAS of its own.
    """

    def __init__(self, workspace: int) -> None:
        """Begin without a tensor.

        Args:
            workspace: The bytes of a workspace of cuBLAS.
        """
        self.allocators = Allocators()
        self.thread = "forward"
        self._now = self.allocators.usual
        self._blocks: dict[int, tuple[CachingAllocator, Block]] = {}  # by storage
        self._workspace = workspace
        self._workspaces: dict[str, Block] = {}

    def record(self) -> None:
        """Allocate in the pool of recordings from now on; its stream has workspaces of its own."""
        self._now = self.allocators.pool
        self._workspaces = {}

    def compute(self, func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Return the result of an operation, allocated but not written."""
        name = func._schema.name  # noqa: SLF001 - torch offers no other way to ask
        if name in _BLAS and self._workspace and self.thread not in self._workspaces:
            self._workspaces[self.thread] = self._now.allocate(self._workspace)
        made = shaped(func, args, kwargs)
        self.hold(made if isinstance(made, tuple | list) else (made,))
        return made

    def hold(self, tensors: Iterable[Any]) -> None:
        """Allocate the memory of tensors, until they are gone."""
        for tensor in tensors:
            if isinstance(tensor, Tensor) and (size := tensor.untyped_storage().nbytes()):
                storage = tensor.untyped_storage()
                name = int(storage._cdata)  # noqa: SLF001 - the address of the storage itself
                if name not in self._blocks:
                    self._blocks[name] = self._now, self._now.allocate(size)
                    weakref.finalize(storage, self._release, name)

    def _release(self, name: int) -> None:
        allocator, block = self._blocks.pop(name)
        allocator.release(block)
