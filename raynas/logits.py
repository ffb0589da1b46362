"""What a network returns, and the logits in it; this module needs no torch to be imported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from raynas.errors import SpaceError

if TYPE_CHECKING:
    from torch import Tensor


def logits_of(output: Any, expected: tuple[int, int] | None = None) -> Tensor:
    """Return the logits in what a network's ``forward`` returned.

    A tensor is the logits. Of anything else they are taken where there is no doubt: the entry
    ``logits`` of a dict, the attribute ``logits`` (as of the outputs of Hugging Face and of
    torchvision), the only part of a tuple or list.

    Args:
        output: What it returned.
        expected: How many examples and classes there are; none if that does not matter.

    Raises:
        SpaceError: There are no logits in it, or they are no real numbers or of another shape.
    """
    from torch import Tensor  # noqa: PLC0415 - deciding must not load torch

    found = output if isinstance(output, Tensor) else _within(output)
    if not (isinstance(found, Tensor) and found.is_floating_point() and found.ndim == 2):
        raise SpaceError(
            "forward must return the logits, a tensor of real numbers [examples, classes] (in a "
            f"dict, as 'logits'): it returned {_described(output)}"
        )
    if expected is not None and tuple(found.shape) != expected:
        raise SpaceError(
            "a network must return one logit per class for every example, "
            f"{expected}: got {tuple(found.shape)}"
        )
    return found


def _within(output: Any) -> Any:
    if isinstance(output, Mapping):
        return output.get("logits")
    named = getattr(output, "logits", None)
    # In parentheses, because torch.export before 2.7 cannot trace a union of types.
    if named is None and isinstance(output, (tuple, list)) and len(output) == 1:
        return output[0]
    return named


def _described(output: Any) -> str:
    from torch import Tensor  # noqa: PLC0415 - deciding must not load torch

    kind = type(output).__name__
    if isinstance(output, Tensor):
        return f"a tensor {tuple(output.shape)} of {str(output.dtype).removeprefix('torch.')}"
    if isinstance(output, Mapping):
        return f"a {kind} with {', '.join(map(repr, output)) or 'nothing in it'}"
    if isinstance(output, tuple | list):
        parts = (_described(part) for part in output[:3])
        more = ", ..." if len(output) > 3 else ""
        return f"a {kind} of {len(output)} ({', '.join(parts)}{more})"
    return "None" if output is None else f"a {kind}"
