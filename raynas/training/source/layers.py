"""The line that makes a layer of ``torch.nn``."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, Final

import torch
from torch import Tensor, nn

from raynas.training.source.expressions import Argument, Call, Expression, Literal, Raw

_CONTAINERS: Final = (nn.Sequential, nn.ModuleList, nn.ModuleDict, nn.ParameterDict)
_UNSAID: Final = ("self", "device", "dtype", "args", "kwargs")
# These take ``*args``: the names and defaults are those of torch's documentation.
_RECURRENT: Final = {
    "input_size": inspect.Parameter.empty,
    "hidden_size": inspect.Parameter.empty,
    "num_layers": 1,
    "bias": True,
    "batch_first": False,
    "dropout": 0.0,
    "bidirectional": False,
}
_FLAGS: Final = {"bias": "in_proj_bias", "add_bias_kv": "bias_k"}  # of MultiheadAttention


def constructor(layer: nn.Module) -> Call | None:
    """Return the call that makes a layer of ``torch.nn``; none if it is none, or changed."""
    kind = type(layer)
    shipped = getattr(nn, kind.__name__, None) is kind and kind not in _CONTAINERS
    if not shipped or _changed(layer):
        return None
    given = _given(layer)
    if given is None:
        return None
    for values in ({name: _short(value) for name, value in given.items()}, given):
        if _remakes(layer, values):
            return _call(kind, values, layer)
    return None


def _changed(layer: nn.Module) -> bool:
    """Return whether hooks, such as those of weight normalisation, change what it computes."""
    return bool(
        layer._forward_hooks or layer._forward_pre_hooks or "forward" in vars(layer)  # noqa: SLF001
    )


def _parameters(kind: type[nn.Module]) -> Mapping[str, Any]:
    """Return the defaults by the name of the parameter; ``empty`` for none."""
    if issubclass(kind, nn.RNNBase):
        return _RECURRENT
    signature = inspect.signature(kind.__init__).parameters
    named = {name: one.default for name, one in signature.items() if not name.startswith("_")}
    return {name: default for name, default in named.items() if name not in _UNSAID}


def _given(layer: nn.Module) -> dict[str, Any] | None:
    """Return the arguments that a layer was made with; none if it does not keep them."""
    found = {}
    attention = isinstance(layer, nn.MultiheadAttention)
    for name in _parameters(type(layer)):
        kept = _FLAGS.get(name, name) if attention else name
        if not hasattr(layer, kept):
            return None
        value = getattr(layer, kept)
        flag = kept in _FLAGS.values() or name in ("bias", "elementwise_affine", "affine")
        found[name] = value is not None and value is not False if flag else value
    return (
        None if any(isinstance(value, Tensor | nn.Module) for value in found.values()) else found
    )


def _short(value: Any) -> Any:
    """Return one number for a tuple of equal ones, as people write it."""
    same = isinstance(value, tuple) and len({*value}) == 1
    return value[0] if same else value


def _remakes(layer: nn.Module, values: Mapping[str, Any]) -> bool:
    """Return whether the arguments make the same layer."""
    try:
        with torch.device("meta"):
            other = type(layer)(**values)
    except Exception:  # noqa: BLE001 - these are not its arguments
        return False
    return _facts(other) == _facts(layer)


def _facts(layer: nn.Module) -> dict[str, Any]:
    plain = (bool, int, float, str, tuple, type(None))
    own = {
        name: value
        for name, value in vars(layer).items()
        if isinstance(value, plain) and not name.startswith("_") and name != "training"
    }
    shapes = {name: tuple(part.shape) for name, part in layer.state_dict().items()}
    return {**own, "shapes": shapes}


def _call(kind: type[nn.Module], values: Mapping[str, Any], layer: nn.Module) -> Call:
    arguments = []
    for name, default in _parameters(kind).items():
        required = default is inspect.Parameter.empty
        value: Expression = Literal(values[name])
        arguments.append(
            Argument(name, value, keyword=not required, default=() if required else (default,))
        )
    kinds = {part.dtype for part in layer.parameters() if part.is_floating_point()}
    if kinds - {torch.float32}:
        arguments.append(Argument("dtype", Raw(str(*kinds)), keyword=True))
    return Call(f"nn.{kind.__name__}", tuple(arguments))
