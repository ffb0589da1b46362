"""The memory that training takes, estimated from one forward pass on two examples."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from torch import Tensor, nn

_EXAMPLES: Final = 2  # the fewest that batch normalisation can train on


def training_bytes(child: nn.Module, input_shape: tuple[int, ...], batch_size: int) -> int:
    """Estimate the bytes that training with momentum holds at once.

    Counted are parameters with their gradients and momenta, buffers, the batch, and what the
    forward pass keeps for the backward pass, which grows with the batch. Not counted is what a
    device adds: workspaces, gradients of activations, the allocator's gaps.

    The child is copied and left as it was found; it may live on the meta device, where this takes
    neither memory nor time to speak of.

    Args:
        child: The network.
        input_shape: The shape of one example, such as (channels, height, width).
        batch_size: Examples per step.
    """
    import torch  # noqa: PLC0415 - deciding must not load torch

    child = copy.deepcopy(child).train()
    parameters = list(child.parameters())
    fixed = {tensor.untyped_storage()._cdata for tensor in (*parameters, *child.buffers())}  # noqa: SLF001
    kept: dict[int, Tensor] = {}  # by storage, of which several tensors may be views

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()._cdata  # noqa: SLF001 - on meta it has no address
        if storage not in fixed:
            kept[storage] = tensor
        return tensor

    like = parameters[0] if parameters else torch.empty(())
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        inputs = like.new_zeros((_EXAMPLES, *input_shape))
        child(inputs).sum()
    kept[inputs.untyped_storage()._cdata] = inputs  # noqa: SLF001
    activations = sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
    weights = sum(tensor.nbytes for tensor in parameters)
    buffers = sum(tensor.nbytes for tensor in child.buffers())
    return 3 * weights + buffers + activations * batch_size // _EXAMPLES
