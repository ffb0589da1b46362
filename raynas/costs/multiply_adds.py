"""The multiply-adds of one call of a layer. Loads torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.rnn import RNNBase, RNNCellBase

Call = Callable[[Any, Sequence[Any], Any], int]
"""Returns a number for a layer, its inputs in their order, and its output."""


def counts(layer: nn.Module) -> bool:
    """Return whether the multiply-adds of a layer are counted."""
    return isinstance(layer, tuple(_COUNTS))


def multiply_adds(layer: nn.Module, given: Sequence[Any], output: Any) -> int:
    """Return the multiply-adds of a call of a layer that counts."""
    count = next(count for kind, count in _COUNTS.items() if isinstance(layer, kind))
    return count(layer, given, output)


def output_bytes(layer: Any, given: Sequence[Any]) -> float:
    """Return about how many bytes the output of a layer will have; 0 if it is not known."""
    if isinstance(layer, nn.Linear):
        return float(given[0].nbytes * layer.out_features / max(1, layer.in_features))
    if isinstance(layer, _ConvNd):
        size = given[0].nbytes * layer.out_channels / max(1, layer.in_channels)
        strides = math.prod(layer.stride)
        return float(size * strides if layer.transposed else size / strides)
    return 0.0


def _linear(layer: Any, _given: Sequence[Any], output: Tensor) -> int:
    return _added(layer, output) + output.numel() * int(layer.weight.shape[1])


def _convolution(layer: Any, given: Sequence[Any], output: Tensor) -> int:
    # One output element needs one row of the weight, groups included. A transposed convolution
    # spreads each input element over the output instead.
    rows = given[0] if layer.transposed else output
    per_element: int = math.prod(layer.weight.shape[1:])
    return _added(layer, output) + per_element * int(rows.numel())


def _added(layer: Any, output: Tensor) -> int:
    return 0 if layer.bias is None else output.numel()


def _recurrent(layer: Any, given: Sequence[Any], _output: Any) -> int:
    """Count every weight and every bias once for each step of each example."""
    steps = given[0]
    if not isinstance(steps, Tensor):  # a sequence that is packed
        steps = steps.data
    return _rows(steps) * sum(int(parameter.numel()) for parameter in layer.parameters())


def _attention(layer: Any, given: Sequence[Any], _output: Any) -> int:
    """Count the four projections as linear layers."""
    size = layer.embed_dim
    queries, keys, values = (_rows(part) for part in given[:3])
    products = size * (2 * queries * size + keys * layer.kdim + values * layer.vdim)
    if layer.in_proj_bias is not None:
        products += size * (queries + keys + values)
    return int(products + (0 if layer.out_proj.bias is None else size * queries))


def _rows(tensor: Tensor) -> int:
    return tensor.numel() // max(1, tensor.shape[-1])


_COUNTS: Final[Mapping[Any, Call]] = {
    _ConvNd: _convolution,
    nn.Linear: _linear,
    RNNBase: _recurrent,
    RNNCellBase: _recurrent,
    nn.MultiheadAttention: _attention,
}
