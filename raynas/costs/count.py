"""Parameters and multiply-adds, counted on one forward pass."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from raynas.trees import mapped

if TYPE_CHECKING:
    from torch import Tensor, nn


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
    layers, plus one for each addition of a bias; all other operations count zero. Only layers
    that are modules are counted, not calls such as ``torch.nn.functional.conv2d``. Layers that run
    only in training (an auxiliary head) add parameters but no multiply-adds.

    The child runs once, in evaluation mode; it is not changed.

    Args:
        child: The network.
        inputs: A batch of one example, as the child gets it, on any device; none if there is no
            example.
    """
    import torch  # noqa: PLC0415 - deciding must not load torch

    parameters = list(child.parameters())
    params = sum(parameter.numel() for parameter in parameters)
    if inputs is None:
        return Costs(params)
    flops = 0

    def add(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal flops
        flops += _multiply_adds(layer, inputs[0], output)

    with ExitStack() as undo:
        for layer in child.modules():
            if _counts(layer):
                undo.callback(layer.register_forward_hook(add).remove)
        undo.enter_context(_evaluating(child))
        undo.enter_context(torch.no_grad())
        child(_moved(inputs, parameters[0].device) if parameters else inputs)
    return Costs(params, flops)


def _moved(inputs: Any, device: Any) -> Any:
    return mapped(lambda tensor: tensor.to(device), inputs)


@contextmanager
def _evaluating(child: nn.Module) -> Iterator[None]:
    """Put every layer into evaluation mode, and restore its old mode afterwards."""
    training = [layer for layer in child.modules() if layer.training]
    child.eval()
    try:
        yield
    finally:
        for layer in training:
            layer.training = True


def _counts(layer: nn.Module) -> bool:
    from torch import nn  # noqa: PLC0415 - deciding must not load torch
    from torch.nn.modules.conv import _ConvNd  # noqa: PLC0415

    return isinstance(layer, _ConvNd | nn.Linear)


def _multiply_adds(layer: Any, given: Tensor, output: Tensor) -> int:
    """Return the multiply-adds of one call of a convolution or linear layer."""
    # One output element needs one row of the weight, groups included.
    per_element: int = math.prod(layer.weight.shape[1:])
    # A transposed convolution spreads each input element over the output instead.
    rows = given if getattr(layer, "transposed", False) else output
    return per_element * rows.numel() + (output.numel() if layer.bias is not None else 0)
