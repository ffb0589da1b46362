"""Arrays and tensors in lists, tuples and dictionaries, which may contain each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any


def mapped(function: Callable[[Any], Any], tree: Any) -> Any:
    """Return a tree of the same form, with the result of ``function`` for each leaf.

    A leaf is anything that is not a list, tuple or dictionary.
    """
    # In parentheses, because torch.export before 2.7 cannot trace a union of types.
    if isinstance(tree, Mapping):
        return {name: mapped(function, part) for name, part in tree.items()}
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*(mapped(function, part) for part in tree))
    if isinstance(tree, (tuple, list)):
        return type(tree)(mapped(function, part) for part in tree)
    return function(tree)


def leaves(tree: Any) -> Iterator[Any]:
    """Yield the leaves of a tree in their order."""
    if isinstance(tree, Mapping):
        for part in tree.values():
            yield from leaves(part)
    elif isinstance(tree, (tuple, list)):
        for part in tree:
            yield from leaves(part)
    else:
        yield tree


def named_leaves(tree: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the leaves of a tree with their paths, such as ``image`` or ``0.mask``."""
    if isinstance(tree, Mapping):
        parts: Any = tree.items()
    elif isinstance(tree, (tuple, list)):
        parts = enumerate(tree)
    else:
        yield name, tree
        return
    for key, part in parts:
        yield from named_leaves(part, f"{name}.{key}" if name else str(key))


def first(tree: Any) -> Any:
    """Return the first leaf of a tree; none if it has no leaf."""
    return next(leaves(tree), None)
