"""A space as plain data (JSON), and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from raynas.errors import SpaceError
from raynas.space.nodes import Choice, Node, Repeat
from raynas.space.numbers import Float, Int


def to_data(tree: Node | None) -> Any:
    """Return the tree of a space (``Space.tree``) as JSON-ready data."""
    match tree:
        case None:
            return None
        case Choice(options=Mapping() as options, weights=weights):
            branches = {name: to_data(child) for name, child in options.items()}
            return {"choice": branches, **_weights(weights)}
        case Choice(options=options, weights=weights):
            return {"choice": _listed(options), **_weights(weights)}
        case Int(low=low, high=high, log=log, step=step):
            return {"int": [low, high], "log": log, **({"step": step} if step > 1 else {})}
        case Float(low=low, high=high, log=log):
            return {"float": [low, high], "log": log}
        case Repeat(body=body, low=low, high=high):
            return {"repeat": to_data(body), "copies": [low, high]}
        case Mapping():
            return {"group": {name: to_data(child) for name, child in tree.items()}}
    raise SpaceError(f"a space may hold only Choice, Int, Float, Repeat and dict, got {tree!r}")


def from_data(data: Any) -> Any:
    """Return the tree that ``to_data`` described.

    Raises:
        SpaceError: The data do not describe a space.
    """
    match data:
        case None:
            return None
        case {"choice": options}:
            if isinstance(options, Mapping):
                options = {name: from_data(child) for name, child in options.items()}
            return Choice(options, data.get("weights") and tuple(data["weights"]))
        case {"int": [low, high], "log": log}:
            return Int(low, high, log, data.get("step", 1))
        case {"float": [low, high], "log": log}:
            return Float(low, high, log)
        case {"repeat": body, "copies": [low, high]}:
            return Repeat(from_data(body), low, high)
        case {"group": children}:
            return {name: from_data(child) for name, child in children.items()}
    raise SpaceError(
        "the description of a space must be a dict with 'choice', 'int', 'float', 'repeat' or "
        f"'group', got {data!r}"
    )


def _listed(value: Any) -> Any:
    """Return a value with lists for tuples, as in JSON."""
    return [_listed(part) for part in value] if isinstance(value, tuple) else value


def _weights(weights: tuple[float, ...] | None) -> dict[str, list[float]]:
    return {} if weights is None else {"weights": list(weights)}
