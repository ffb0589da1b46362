"""The decisions of a space; every operation on the space walks over them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from raynas.errors import SpaceError, shown
from raynas.space.nodes import Choice, Domain, Node, Repeat
from raynas.space.numbers import Float, Int
from raynas.space.values import Value

_NAME: Final = re.compile(r"[^.\s]+")


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """One decision of a space.

    Attributes:
        path: Its name in the space, with levels joined by dots, such as ``stages.0.kernel``.
        domain: Its possible values.
        branches: The decisions that a value makes active, for the values that have such decisions.
        parent: The path of the decision it depends on; none if it is always active.
        when: The parent's values that make it active.
    """

    path: str
    domain: Domain
    branches: Mapping[Value, tuple[Decision, ...]] = field(default_factory=dict)
    parent: str | None = None
    when: frozenset[Value] = frozenset()

    def walk(self) -> Iterator[Decision]:
        """Yield this decision and all below it, each once, parents first."""
        yield self
        seen: set[str] = set()
        for branch in self.branches.values():
            for child in branch:
                if child.path not in seen:
                    seen.add(child.path)
                    yield from child.walk()


def compile_tree(
    node: Node | None,
    path: str = "",
    parent: str | None = None,
    when: frozenset[Value] = frozenset(),
) -> tuple[Decision, ...]:
    """Turn the written tree into decisions.

    Raises:
        SpaceError: A name is unusable, or something in the tree is not a node.
    """
    match node:
        case None:
            return ()
        case Int() | Float():
            return (Decision(path, node, {}, parent, when),)
        case Choice():
            branches: dict[Value, tuple[Decision, ...]] = {
                label: compile_tree(child, f"{path}.{_named(label)}", path, frozenset([label]))
                for label, child in node.children.items()
                if child
            }
            return (Decision(path, node, branches, parent, when),)
        case Repeat():
            return (_compile_repeat(node, path, parent, when),)
        case Mapping():
            prefix = f"{path}." if path else ""
            return tuple(
                decision
                for name, child in node.items()
                for decision in compile_tree(child, prefix + _named(name), parent, when)
            )
    hint = "; give the tree of a Space, space.tree" if hasattr(node, "tree") else ""
    hint = f"; write Choice({shown(node)})" if isinstance(node, list | tuple | range) else hint
    must = "must be a Choice, Int, Float, Repeat or dict"
    raise SpaceError(f"{path or 'a space'} {must}, got {shown(node)}{hint}")


def _compile_repeat(
    node: Repeat, path: str, parent: str | None, when: frozenset[Value]
) -> Decision:
    copies = [
        compile_tree(
            node.body, f"{path}.{i}", path, frozenset(range(max(i + 1, node.low), node.high + 1))
        )
        for i in range(node.high)
    ]
    branches: dict[Value, tuple[Decision, ...]] = {
        count: tuple(decision for copy in copies[:count] for decision in copy)
        for count in range(node.low, node.high + 1)
    }
    return Decision(path, Int(node.low, node.high), branches, parent, when)


def _named(name: object) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise SpaceError(f"a name must be text without dots and blanks, got {name!r}")
    return name
