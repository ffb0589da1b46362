"""A space with further decisions added to its own, such as how to train."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TypeVar

from raynas.errors import SpaceError
from raynas.space.architecture import Architecture
from raynas.space.nodes import Node
from raynas.space.space import Space

T = TypeVar("T")


def joined(space: Space, name: str, group: Mapping[str, Node]) -> Space:
    """Return the space with one more group of decisions, below ``name``.

    The space's functions ``canonical`` and ``graph`` still see only its own decisions. Two
    architectures that differ only in the group are different networks with the same graph.

    Args:
        space: What can be searched.
        name: The name of the group; its decisions have paths such as ``training.lr``.
        group: The decisions to add.

    Raises:
        SpaceError: The space already has a decision with one of these paths.
    """
    own = space.tree.get(name, {})
    if not isinstance(own, Mapping) or set(own) & set(group):
        raise SpaceError(
            f"{', '.join(sorted(group))} cannot be added below {name!r}: the space already has "
            "such a decision"
        )
    start = f"{name}."

    def inner(function: Callable[[Architecture], T]) -> Callable[[Architecture], T]:
        def of_own(architecture: Architecture) -> T:
            added = {start + one for one in group}
            kept = {path: v for path, v in architecture.items() if path not in added}
            return function(Architecture(kept))

        return of_own

    canonical = space.canonical
    if canonical is not None:
        canonical = _with_group(inner(canonical), start, group)
    graph = None if space.graph is None else inner(space.graph)
    return Space({**space.tree, name: {**own, **group}}, canonical=canonical, graph=graph)


def _with_group(
    canonical: Callable[[Architecture], str], start: str, group: Mapping[str, Node]
) -> Callable[[Architecture], str]:
    def both(architecture: Architecture) -> str:
        decided = [architecture[start + one] for one in sorted(group)]
        return canonical(architecture) + json.dumps(decided)

    return both
