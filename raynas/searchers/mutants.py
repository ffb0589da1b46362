"""The candidates that a model ranks: mutants of good networks, and some draws from the prior."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

import numpy as np

from raynas.searchers.selection import draw_untried, tried, untried
from raynas.space import Space
from raynas.trial import History, Proposal, Trial

_EDITS: Final = (0.5, 0.25, 0.125, 0.075, 0.05)
"""How often a mutant differs in one decision, in two, and so on: NASBOT's."""

_STRANGERS: Final = 0.25  # share drawn from the prior, so that not all are near one optimum
_ENUMERATED: Final = 10_000  # in a space of at most so many architectures, all are looked through


def candidates(
    space: Space,
    history: History,
    parents: Sequence[Trial],
    rng: np.random.Generator,
    count: int,
) -> list[Proposal]:
    """Return up to ``count`` different networks that were not tried, most of them mutants.

    Args:
        space: The search space.
        history: What was tried, successful or not.
        parents: The trials to mutate; one is drawn for each mutant.
        rng: The source of randomness.
        count: How many are wanted; at most twice as many are made to find them.
    """
    found: dict[str, Proposal] = {}
    made = islice(_made(space, parents, rng), 2 * count)
    while len(found) < count and (proposal := next(made, None)):
        if not tried(space, history, proposal.architecture):
            found.setdefault(space.identity(proposal.architecture), proposal)
    return list(found.values())


def _made(space: Space, parents: Sequence[Trial], rng: np.random.Generator) -> Iterator[Proposal]:
    while True:
        if rng.random() < _STRANGERS:
            yield Proposal(space.sample(rng))
            continue
        parent = parents[int(rng.integers(len(parents)))]
        architecture = parent.architecture
        for _ in range(1 + int(rng.choice(len(_EDITS), p=_EDITS))):
            architecture = space.mutate(architecture, rng)
        yield Proposal(architecture, parent=parent.number)


def anything(space: Space, history: History, rng: np.random.Generator) -> Proposal | None:
    """Return an untried network drawn from the prior; none if a small space has none left."""
    architecture = draw_untried(space, history, lambda: space.sample(rng))
    if space.size <= _ENUMERATED and tried(space, history, architecture):
        left = next(untried(space, history, space), None)
        return None if left is None else Proposal(left)
    return Proposal(architecture, random=True)
