"""What must not change for a recording to hold."""

from __future__ import annotations

import random  # noqa: TID251 - its state is read, to see whether a step draws from it
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

_PLAIN = (bool, int, float, str, bytes, type(None))


def host_state(parts: Sequence[Any]) -> Hashable:
    """Return what a step must not change on the host: plain values and random generators.

    A step that changes any of these does something that a recording would not repeat.
    """
    return plain_values(parts), _generators()


def plain_values(parts: Sequence[Any]) -> Hashable:
    """Return the numbers and texts in the attributes of parts.

    Of a list, dictionary or set there is the length alone.
    """
    return tuple(tuple(_plain(vars(owner))) for part in parts for owner in _owners(part))


def addresses(parts: Sequence[Any]) -> Hashable:
    """Return where the tensors of parts are: parameters, buffers, what optimizers keep."""
    return tuple(tensor.data_ptr() for part in parts for tensor in _tensors(part))


def unrecordable(parts: Sequence[Any]) -> str:
    """Return why steps with these parts cannot be recorded, empty if they can."""
    for part in parts:
        groups = part.param_groups if isinstance(part, torch.optim.Optimizer) else []
        if not all(isinstance(group["lr"], Tensor) for group in groups):
            return (
                "the learning rate of its optimizer is a number, which a recording would not "
                "change; give the optimizer lr=torch.tensor(..., device=context.device)"
            )
    return ""


def parameters(parts: Sequence[Any]) -> Iterator[nn.Parameter]:
    """Yield the parameters of the networks in parts."""
    for part in parts:
        if isinstance(part, nn.Module):
            yield from part.parameters()


def _owners(part: Any) -> Iterator[Any]:
    if isinstance(part, nn.Module):
        yield from part.modules()
    elif hasattr(part, "__dict__"):
        yield part


def _plain(attributes: Mapping[str, Any]) -> Iterator[tuple[str, Hashable]]:
    for name, value in attributes.items():
        if isinstance(value, _PLAIN):
            yield name, value
        elif isinstance(value, list | tuple | dict | set):
            yield name, len(value)


def _generators() -> tuple[Hashable, ...]:
    drawn: Any = np.random.get_state()  # noqa: NPY002 - a child may draw from it
    _, words, *rest = drawn
    own = torch.default_generator.get_state()
    return random.getstate(), words.tobytes(), *rest, own.numpy().tobytes()


def _tensors(part: Any) -> Iterator[Tensor]:
    if isinstance(part, nn.Module):
        yield from part.parameters()
        yield from part.buffers()
        return
    kept = part.state_dict()["state"] if isinstance(part, torch.optim.Optimizer) else {}
    kept = getattr(part, "moments", kept)
    for values in kept.values():
        yield from (value for value in values.values() if isinstance(value, Tensor))
