"""Expert priors: weights for options that are likely to be good, given apart from the space."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

from raynas.errors import SpaceError, unknown
from raynas.json_text import parsed
from raynas.space.nodes import Choice, Repeat
from raynas.space.space import Space
from raynas.space.written import meant

Weights = Mapping[Any, float]


def with_priors(space: Space, priors: Mapping[str, Weights]) -> Space:
    """Return the space with other prior weights on the options of its choices.

    >>> with_priors(space, {"edge_*": {"nor_conv_3x3": 3.0}})  # doctest: +SKIP

    Then samples, mutations, decisions that become active, and the first draws of a controller
    choose ``nor_conv_3x3`` three times as often as any other operation.

    Args:
        space: The search space.
        priors: By a choice's path: the weights of some options. In a path, ``*`` stands for any
            text, also for the number of a copy in a ``Repeat``. Other options keep their weight,
            which is 1 by default. If several paths fit a choice, the last one counts.

    Raises:
        SpaceError: A path fits no choice, an option does not exist, or a weight is not above zero.
    """
    seen: set[str] = set()

    def weigh(path: str, choice: Choice) -> Choice:
        seen.add(path)
        fitting = [given for pattern, given in priors.items() if _fits(path, pattern)]
        return _weighted(path, choice, fitting[-1]) if fitting else choice

    tree = {name: _rebuilt(node, name, weigh) for name, node in space.tree.items()}
    for pattern in priors:
        if not any(_fits(path, pattern) for path in seen):
            raise SpaceError(unknown("choice at the path", pattern, seen))
    return Space(tree, canonical=space.canonical, graph=space.graph)


def _rebuilt(node: Any, path: str, weigh: Callable[[str, Choice], Choice]) -> Any:
    match node:
        case Choice(options=Mapping() as options):
            below = {name: _rebuilt(one, f"{path}.{name}", weigh) for name, one in options.items()}
            return weigh(path, replace(node, options=below))
        case Choice():
            return weigh(path, node)
        case Repeat(body=body):
            return replace(node, body=_rebuilt(body, f"{path}.*", weigh))
        case Mapping():
            return {name: _rebuilt(one, f"{path}.{name}", weigh) for name, one in node.items()}
    return node


def _weighted(path: str, choice: Choice, given: Weights) -> Choice:
    options = choice.values()
    weights = dict(zip(options, choice.weights or [1.0] * len(options), strict=True))
    for name, weight in given.items():
        option = _option(choice, name)
        if option not in weights:
            raise SpaceError(unknown(f"option of {path}", str(name), map(str, options)))
        weights[option] = weight
    return replace(choice, weights=tuple(weights.values()))


def _option(choice: Choice, name: Any) -> Any:
    """Return the option that is named; in JSON and on the command line, "3" names the option 3."""
    by_text = {str(option): option for option in choice.values()}
    readings = [name, by_text.get(name, name)]
    if isinstance(name, str):
        with suppress(ValueError):
            readings.append(parsed(name))
    found = (meant(choice, reading) for reading in readings)
    return next((one for one in found if choice.contains(one)), name)


def _fits(path: str, pattern: str) -> bool:
    return path == pattern or fnmatchcase(path, pattern)
