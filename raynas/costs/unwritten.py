"""Run a network on tensors whose memory is never written or read. Loads torch.

Operations are not computed; only the shapes of their results are. The results are tensors on the
CPU, so that torch treats them as it treats all others: it records them for the backward pass and
applies mixed precision. The system gives no memory to what is never written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import torch
from torch import Tensor

from raynas.trees import mapped

_CPU: Final = torch.device("cpu")
_META: Final = torch.device("meta")
_VIEW: Final = object()


class LooksAtNumbersError(Exception):
    """A network needs the numbers in a tensor to go on."""


def blank(tensor: Tensor, count: int | None = None) -> Tensor:
    """Return a tensor like another on the CPU, not written; images in channels-last layout.

    Args:
        tensor: The other tensor, on any device, also ``meta``.
        count: The length of its first dimension; none for the same.
    """
    shape = tensor.shape if count is None else (count, *tensor.shape[1:])
    layout = torch.channels_last if tensor.ndim == 4 else torch.contiguous_format
    return torch.empty(shape, dtype=tensor.dtype, device="cpu", memory_format=layout)


def shaped(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Return what an operation returns, with the right shapes and without numbers.

    Raises:
        LooksAtNumbersError: The result is no tensor.
    """
    schema = func._schema  # noqa: SLF001 - torch offers no other way to ask
    if any("Tensor" not in str(one.type) for one in schema.returns):
        raise LooksAtNumbersError(str(func))
    aliases = [one.alias_info for one in schema.returns]
    written = [one for one in aliases if one is not None and one.is_write]
    if (any(aliases) and not written) or torch.Tag.inplace_view in func.tags:
        return func(*args, **kwargs)  # a view, or a change of the shape itself
    if written:
        return kwargs.get("out", args[0] if args else None)
    made = _computed(func, _described(tuple(args)), _described(kwargs))
    return func(*args, **kwargs) if made is _VIEW else mapped(_unwritten, made)


@dataclass(frozen=True, slots=True)
class _Shape:
    """The shape, strides and type of a tensor."""

    size: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: torch.dtype

    def tensor(self, device: torch.device) -> Tensor:
        """Return a tensor that is not written."""
        return torch.empty_strided(self.size, self.strides, dtype=self.dtype, device=device)


@dataclass(frozen=True, slots=True)
class _Value:
    """A value that is no tensor; with its type, because True equals 1, and 1 equals 1.0."""

    kind: type
    value: Any


def _described(value: Any) -> Any:
    """Return what decides the shape of a result, as a key of a dictionary."""
    if isinstance(value, Tensor):
        return _Shape(tuple(value.shape), value.stride(), value.dtype)
    if isinstance(value, list | tuple):
        return tuple(map(_described, value))
    if isinstance(value, Mapping):
        return tuple((name, _described(part)) for name, part in value.items())
    return _Value(type(value), value)


@lru_cache(maxsize=2**14)  # networks repeat themselves, and are like others of their space
def _computed(func: Any, args: tuple[Any, ...], kwargs: tuple[tuple[str, Any], ...]) -> Any:
    """Return the shapes of what an operation returns; ``_VIEW`` if it is a view."""
    seen: set[int] = set()

    def meta(part: _Shape | _Value) -> Any:
        if isinstance(part, _Value):
            return part.value
        tensor = part.tensor(_META)
        seen.add(_storage(tensor))
        return tensor

    named = {name: mapped(meta, part) for name, part in kwargs}
    if any(one.name == "device" for one in func._schema.arguments):  # noqa: SLF001
        named["device"] = _META
    made = func(*mapped(meta, args), **named)
    if isinstance(made, Tensor) and _storage(made) in seen:  # the schema says it is none
        return _VIEW
    return mapped(lambda part: _described(part) if isinstance(part, Tensor) else None, made)


def _unwritten(part: _Shape | None) -> Tensor | None:
    return None if part is None else part.tensor(_CPU)


def _storage(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)  # noqa: SLF001 - the address of the storage itself
