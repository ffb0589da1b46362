"""The candidates of the model: networks similar to the best ones, and random networks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

import numpy as np

from raynas.space import Architecture, Space
from raynas.trial import History, Proposal, Trial

_NEAR: Final = 24  # the most neighbours of each parent
_LEADERS: Final = 2  # the first parents, for which networks with two changes are candidates too
_TWO_STEPS: Final = 96  # networks with two changes, for each of these parents
_CHILDREN: Final = 48  # crossovers of two parents
_FAR: Final = 200  # random networks


def around(
    space: Space, history: History, parents: Sequence[Trial], rng: np.random.Generator
) -> list[Proposal]:
    """Return untried networks similar to the parents, each with its parent.

    Args:
        space: The search space.
        history: All trials so far.
        parents: The trials to start from, the best first.
        rng: The source of randomness.
    """
    found: dict[str, Proposal] = {}
    for architecture, parent in _drawn(space, parents, rng):
        identity = space.identity(architecture)
        if identity not in found:
            found[identity] = Proposal(architecture, parent=parent.number)
    return _new(history, found)


def anywhere(space: Space, history: History, rng: np.random.Generator) -> list[Proposal]:
    """Return untried networks, drawn from the prior of the space."""
    drawn = (space.sample(rng) for _ in range(_FAR))
    return _new(history, {space.identity(one): Proposal(one) for one in drawn})


def _new(history: History, found: dict[str, Proposal]) -> list[Proposal]:
    return [
        one for identity, one in found.items() if not any(True for _ in history.same(identity))
    ]


def _drawn(
    space: Space, parents: Sequence[Trial], rng: np.random.Generator
) -> Iterator[tuple[Architecture, Trial]]:
    for place, parent in enumerate(parents):
        children = list(islice(space.neighbours(parent.architecture, rng), _NEAR))
        yield from ((child, parent) for child in children)
        if children and place < _LEADERS:
            for drawn in rng.integers(len(children), size=_TWO_STEPS).tolist():
                yield space.mutate(children[drawn], rng), parent
    for one, other in rng.integers(len(parents), size=(_CHILDREN, 2)).tolist():
        pair = parents[one].architecture, parents[other].architecture
        yield space.crossover(*pair, rng), parents[one]
