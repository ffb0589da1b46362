"""Parameters and multiply-adds, counted on one forward pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from raynas.costs.copied import without_numbers
from raynas.trees import mapped

if TYPE_CHECKING:
    from torch import nn

_LARGE: Final = 64 * 2**20  # bytes of a layer's output; with less, computing is the faster way


@dataclass(frozen=True, slots=True)
class Costs:
    """The costs of a child, independent of the device.

    Attributes:
        params: The number of parameters; one that several layers share counts once.
        flops: Multiply-adds of one example's forward pass; none if there is no example.
    """

    params: int
    flops: int | None = None

    @property
    def known(self) -> dict[str, float]:
        """The numbers that are known, by name."""
        flops = {} if self.flops is None else {"flops": float(self.flops)}
        return {"params": float(self.params), **flops}


def measure(child: nn.Module, inputs: Any) -> Costs:
    """Count a child's parameters and multiply-adds.

    Multiply-adds are counted as in NAS-Bench-201 and NATS-Bench: those of convolutions and linear
    layers, plus one for each addition of a bias; all other operations count zero. A recurrent
    layer (``RNN``, ``LSTM``, ``GRU`` and their cells) counts as linear layers that have its
    weights and run once for each step. Of ``MultiheadAttention``, the projections of queries,
    keys, values and output count as linear layers; the products of queries with keys, and of
    attention with values, have no weights and count zero. Only layers that are modules are
    counted, not calls such as ``torch.nn.functional.conv2d``. Layers that run only in training (an
    auxiliary head) add parameters but no multiply-adds.

    The child runs once, in evaluation mode; it is not changed. If the output of a layer would be
    large, a copy without numbers runs instead, on torch's device ``meta``, where activations take
    no memory. A child that cannot run there, because it looks at numbers, runs itself in any case.

    Args:
        child: The network.
        inputs: A batch of one example, as the child gets it, on any device; none if there is no
            example.
    """
    parameters = list(child.parameters())
    params = sum(parameter.numel() for parameter in parameters)
    if inputs is None:
        return Costs(params)
    device = parameters[0].device if parameters else None
    try:
        return Costs(params, _counted(child, _moved(inputs, device), largest=_LARGE))
    except _LargeError:
        pass
    try:
        return Costs(params, _counted_without_numbers(child, inputs))
    except Exception:  # noqa: BLE001 - whatever fails on ``meta``, a user's code may look at numbers
        return Costs(params, _counted(child, _moved(inputs, device)))


class _LargeError(Exception):
    """The output of a layer will be large."""


def _counted_without_numbers(child: nn.Module, inputs: Any) -> int:
    import torch  # noqa: PLC0415 - deciding must not load torch

    meta = torch.device("meta")
    with meta:  # for tensors that the child makes as it runs
        shapes = without_numbers(child, lambda tensor: tensor.to(meta))
        return _counted(shapes, _moved(inputs, meta))


def _counted(child: nn.Module, inputs: Any, largest: float = float("inf")) -> int:
    """Return the multiply-adds of a forward pass.

    Raises:
        _LargeError: The output of a layer would have more bytes than ``largest``.
    """
    import torch  # noqa: PLC0415 - deciding must not load torch

    from raynas.costs.multiply_adds import (  # noqa: PLC0415
        counts,
        multiply_adds,
        output_bytes,
    )

    flops = 0

    def check(layer: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        if output_bytes(layer, _ordered(args, kwargs)) > largest:
            raise _LargeError

    def add(layer: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any], output: Any) -> None:
        nonlocal flops
        flops += multiply_adds(layer, _ordered(args, kwargs), output)

    with ExitStack() as undo:
        for layer in child.modules():
            if counts(layer):
                undo.callback(layer.register_forward_pre_hook(check, with_kwargs=True).remove)
                undo.callback(layer.register_forward_hook(add, with_kwargs=True).remove)
        undo.enter_context(evaluating(child))
        undo.enter_context(_every_layer_called())
        undo.enter_context(torch.no_grad())
        child(inputs)
    return flops


def _ordered(args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
    return [*args, *kwargs.values()]


def _moved(inputs: Any, device: Any) -> Any:
    return inputs if device is None else mapped(lambda tensor: tensor.to(device), inputs)


@contextmanager
def _every_layer_called() -> Iterator[None]:
    """Turn off the fused kernels of torch's transformers, which call no layer inside them."""
    from torch.backends import mha  # noqa: PLC0415 - deciding must not load torch

    before = mha.get_fastpath_enabled()
    mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        mha.set_fastpath_enabled(before)


@contextmanager
def evaluating(child: nn.Module) -> Iterator[None]:
    """Put every layer into evaluation mode, and restore its old mode afterwards."""
    training = [layer for layer in child.modules() if layer.training]
    child.eval()
    try:
        yield
    finally:
        for layer in training:
            layer.training = True
