"""Networks the model is asked about: those around the best, and random ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

import numpy as np

from raynas.space import Architecture, Space
from raynas.trial import History, Proposal, Trial

_NEAR: Final = 24  # neighbours of each parent, at most
_LEADERS: Final = 2  # parents around which networks two changes away are looked at too
_TWO_STEPS: Final = 96  # of these, per leader
_CHILDREN: Final = 48  # of pairs of parents
_FAR: Final = 200  # random ones


def around(
    space: Space, history: History, parents: Sequence[Trial], rng: np.random.Generator
) -> list[Proposal]:
    """Return networks around the parents that were not tried, each with a parent; best first."""
    found: dict[str, Proposal] = {}
    for architecture, parent in _drawn(space, parents, rng):
        identity = space.identity(architecture)
        if identity not in found:
            found[identity] = Proposal(architecture, parent=parent.number)
    return _new(history, found)


def anywhere(space: Space, history: History, rng: np.random.Generator) -> list[Proposal]:
    """Return networks from the prior that were not tried."""
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
