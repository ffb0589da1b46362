"""Read what a network returns; this module can be imported without torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from raynas.errors import SpaceError

if TYPE_CHECKING:
    from torch import Tensor


def main_output(outputs: Any, name: str = "logits") -> Tensor:
    """Return the tensor of interest in the outputs of a network.

    A tensor is returned as it is. In other outputs the tensor is taken if there is no doubt: the
    entry ``logits`` of a dict, the attribute ``logits`` (as in the outputs of Hugging Face and of
    torchvision), the only part of a tuple or list.

    Args:
        outputs: The return value of the network's ``forward``.
        name: The name of the entry or attribute.

    Raises:
        SpaceError: There is no such tensor of real numbers.
    """
    from torch import Tensor  # noqa: PLC0415 - deciding must not load torch

    found = outputs if isinstance(outputs, Tensor) else _within(outputs, name)
    if not (isinstance(found, Tensor) and found.is_floating_point()):
        raise SpaceError(
            f"forward must return the {name}, a tensor of real numbers (in a dict, as {name!r}): "
            f"it returned {described(outputs)}"
        )
    return found


def require_shape(output: Tensor, expected: Sequence[int], meaning: str) -> Tensor:
    """Return an output of a network if it has the expected shape.

    Args:
        output: The output.
        expected: The shape.
        meaning: What the network must return, for the message.

    Raises:
        SpaceError: It has another shape.
    """
    if tuple(output.shape) != tuple(expected):
        raise SpaceError(
            f"a network must return {meaning}, {tuple(expected)}: got {tuple(output.shape)}"
        )
    return output


def _within(outputs: Any, name: str) -> Any:
    if isinstance(outputs, Mapping):
        return outputs.get(name)
    named = getattr(outputs, name, None)
    # In parentheses, because torch.export before 2.7 cannot trace a union of types.
    if named is None and isinstance(outputs, (tuple, list)) and len(outputs) == 1:
        return outputs[0]
    return named


def described(outputs: Any) -> str:
    """Return the kind of an output, with types and shapes, for messages."""
    from torch import Tensor  # noqa: PLC0415 - deciding must not load torch

    kind = type(outputs).__name__
    if isinstance(outputs, Tensor):
        return f"a tensor {tuple(outputs.shape)} of {str(outputs.dtype).removeprefix('torch.')}"
    if isinstance(outputs, Mapping):
        return f"a {kind} with {', '.join(map(repr, outputs)) or 'nothing in it'}"
    if isinstance(outputs, tuple | list):
        parts = (described(part) for part in outputs[:3])
        more = ", ..." if len(outputs) > 3 else ""
        return f"a {kind} of {len(outputs)} ({', '.join(parts)}{more})"
    return "None" if outputs is None else f"a {kind}"
