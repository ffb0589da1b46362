"""Whether what was saved of a supernet has the names that the supernet has now."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from raynas.oneshot.methods.method import Method
from raynas.oneshot.relaxation import Relaxation
from raynas.oneshot.supernet import Supernet

_FEW: Final = 3  # names in a sentence


def misfit(
    saved: Mapping[str, Any], supernet: Supernet, method: Method, relaxation: Relaxation
) -> str:
    """Return which names do not fit, as parts of a sentence; empty if all fit.

    Args:
        saved: The state of the training, as its checkpoint has it.
        supernet: The supernet as it is built now.
        method: The method that trains it.
        relaxation: How the space becomes mixtures.
    """
    strengths = saved["loop"]["tracked"]["method"].get("strengths", {})
    parts = [
        _difference("strengths", strengths, [*method.learns(relaxation)]),
        _difference("weights", saved["child"], supernet.state_dict()),
    ]
    return ", and ".join(part for part in parts if part)


def _difference(kind: str, found: Iterable[str], needed: Collection[str]) -> str:
    found = dict.fromkeys(found)
    lacking = [name for name in needed if name not in found]
    unknown = [name for name in found if name not in needed]
    parts = [
        f"it {verb} {kind} {_few(names)}"
        for verb, names in (("lacks the", lacking), ("has the unknown", unknown))
        if names
    ]
    return " and ".join(parts)


def _few(names: list[str]) -> str:
    more = f" and {len(names) - _FEW} more" if len(names) > _FEW else ""
    return ", ".join(map(repr, names[:_FEW])) + more
