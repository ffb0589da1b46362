"""The memory that one training step needs."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from raynas.costs.copied import copied
from raynas.trees import mapped

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from raynas.costs.gpu_training import GPUTraining

    Batch = Callable[[int], tuple[Any, Any]]
    Made = Callable[[], tuple[Any, Any]]
    Loss = Callable[[Any, Any], Tensor]


def training_bytes(
    child: nn.Module,
    some: Batch,
    batch_size: int,
    loss: Loss,
    gpu: GPUTraining | None = None,
) -> int:
    """Return the memory of training a child, in bytes.

    This includes parameters, their momentum and gradients, running statistics, the examples, what
    the forward pass keeps for the backward pass, and temporary tensors of both passes. There are
    three ways:

    - With ``gpu``, for a child that is not on a GPU, it is what the allocator of torch will
      reserve on a GPU, in the precision of training there, with workspaces of libraries. A model
      of the allocator follows two steps and a batch of scoring, of which only the shapes are
      computed, and once more a step and a scoring if they are recorded as CUDA graphs. A child
      that looks at numbers cannot be followed in this way; for it, the peak of all tensors is
      computed as on a CPU, in float32, and the workspaces are added.
    - For a child on a GPU, the peak of all tensors is measured on a real step, in the precision of
      training.
    - For a child on a CPU, all tensors are tracked through a step with two examples and one with
      three. At each moment, the memory in use grows by the same amount with every further example;
      from this the peak of the whole batch is computed.

    The context of CUDA, some hundred megabytes, is not included. The child is not changed.

    Args:
        child: The network. With ``gpu`` it may be on the device ``meta``.
        some: Returns the inputs and targets of a number of examples.
        batch_size: Examples per step, at least two.
        loss: Returns the loss of outputs and targets.
        gpu: How the child will be trained on a GPU; none to look at its own device.
    """
    import torch  # noqa: PLC0415 - deciding must not load torch

    device = next((parameter.device for parameter in child.parameters()), torch.device("cpu"))
    with torch.random.fork_rng([device] if device.type == "cuda" else []):  # dropout draws
        if device.type == "cuda":
            return _measured(copied(child), _batch(some, batch_size, device), loss)
        if gpu is None:
            return _tracked(child, some, batch_size, loss)
        try:
            return _reserved(child, some, batch_size, loss, gpu)
        except Exception:
            if device.type == "meta":
                raise
            peak = _tracked(child, some, batch_size, loss)
            # Of a recording it is not known which part is not kept, so all of it counts again.
            return (1 + gpu.recorded) * (peak + 2 * gpu.workspace) + gpu.beside


def _batch(some: Batch, count: int, device: torch.device) -> Made:
    """Return a function that copies examples; a step calls it, because they also need memory."""
    given = some(count)
    return lambda: mapped(lambda tensor: tensor.to(device, copy=True), given)


def _reserved(child: nn.Module, some: Batch, batch_size: int, loss: Loss, gpu: GPUTraining) -> int:
    """Return what the allocator will reserve on a GPU."""
    from raynas.costs.reserved import after_training  # noqa: PLC0415 - loads torch

    return after_training(child, some(2), batch_size, loss, gpu).reserved + gpu.beside


def _tracked(child: nn.Module, some: Batch, batch_size: int, loss: Loss) -> int:
    """Return the peak of all tensors by steps of few examples."""
    import torch  # noqa: PLC0415 - deciding must not load torch

    def moments(count: int) -> list[int]:
        return _moments(child, _batch(some, count, torch.device("cpu")), loss)

    two, three = moments(2), moments(3)
    if len(two) != len(three):  # the operations depend on the number of examples
        return max(moments(batch_size))
    more = batch_size - 2
    return max(now + more * (then - now) for now, then in zip(two, three, strict=True))


def _measured(child: nn.Module, batch: Made, loss: Loss) -> int:
    """Return the peak of a step as measured by the GPU's allocator."""
    import torch  # noqa: PLC0415 - deciding must not load torch

    device = next(child.parameters()).device
    bfloat16 = torch.cuda.is_bf16_supported(including_emulation=False)
    torch.cuda.synchronize(device)
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    with torch.autocast("cuda", torch.bfloat16, enabled=bfloat16):
        _step(child, batch, loss)
    torch.cuda.synchronize(device)
    return _held(child) + torch.cuda.max_memory_allocated(device) - before


def _moments(child: nn.Module, batch: Made, loss: Loss) -> list[int]:
    """Return the bytes in use after each allocation of a step, including those before it."""
    from raynas.intercept import Intercept  # noqa: PLC0415

    child = copied(child)
    tally = _Tally([*child.parameters(), *child.buffers()])
    with Intercept(tally.compute):
        _step(child, batch, loss)
    held = _held(child)
    return [held + alive for alive in tally.moments]


def _step(child: nn.Module, batch: Made, loss: Loss) -> None:
    """Run one forward and one backward pass."""
    import torch  # noqa: PLC0415 - deciding must not load torch

    inputs, targets = batch()
    torch.autograd.backward(loss(child.train()(inputs), targets))


def _held(child: nn.Module) -> int:
    """Return the bytes in use before a step: parameters, their momentum, statistics."""
    momentum = [parameter for parameter in child.parameters() if parameter.requires_grad]
    return sum(part.nbytes for part in (*child.parameters(), *child.buffers(), *momentum))


class _Tally:
    """Tracks the memory of all tensors except those known from the start.

    Attributes:
        moments: The bytes in use after each allocation.
    """

    def __init__(self, known: Iterable[Tensor]) -> None:
        self.moments: list[int] = []
        self._now = 0
        self._live = {_name(tensor.untyped_storage()) for tensor in known}

    def compute(self, func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Compute an operation and record the tensors that it made."""
        made = func(*args, **kwargs)
        for tensor in made if isinstance(made, tuple | list) else (made,):
            if hasattr(tensor, "untyped_storage"):
                self._add(tensor.untyped_storage())
        return made

    def _add(self, storage: torch.UntypedStorage) -> None:
        name, size = _name(storage), storage.nbytes()
        if name not in self._live:
            self._live.add(name)
            self._now += size
            self.moments.append(self._now)
            weakref.finalize(storage, self._free, name, size)

    def _free(self, name: int, size: int) -> None:
        self._live.discard(name)
        self._now -= size


def _name(storage: torch.UntypedStorage) -> int:
    return int(storage._cdata)  # noqa: SLF001 - the address of the storage itself, data or not
