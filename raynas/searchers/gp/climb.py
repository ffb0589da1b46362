"""Maximise the acquisition by a local search: change the best candidates a few times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from raynas.searchers.gp.layout import Floats
from raynas.searchers.selection import tried
from raynas.space import Architecture, Choice, Decision, Space
from raynas.space.values import Value
from raynas.trial import History, Proposal

_SCALES: Final = (0.1, 0.03, 0.01)  # step size in each round, as a fraction of a number's range
_LEADERS: Final = 4  # networks that are changed in a round
_CHANGED: Final = 16  # changed copies of each of them


def climb(
    space: Space,
    history: History,
    start: Sequence[Proposal],
    value: Callable[[Sequence[Proposal]], Floats],
    rng: np.random.Generator,
) -> tuple[list[Proposal], Floats]:
    """Return untried networks and their values ``[networks]``; the starting networks come first.

    If the space has only choices, there is no local search: the starting networks already contain
    the neighbours of good networks, and on NAS-Bench-201 a further search found nothing better.

    Args:
        space: The search space.
        history: All trials so far.
        start: Untried networks, at least one; of equal networks the first one is used.
        value: Returns the values of networks, ``[networks]``.
        rng: The source of randomness.
    """
    found = {space.identity(one.architecture): one for one in reversed(start)}
    values = value([*found.values()])
    if all(isinstance(decision.domain, Choice) for decision in space.decisions.values()):
        return [*found.values()], values
    for scale in _SCALES:
        proposals = [*found.values()]
        fresh: dict[str, Proposal] = {}
        for leader in np.argsort(-values, kind="stable")[:_LEADERS].tolist():
            for _ in range(_CHANGED):
                child = changed(space, proposals[leader].architecture, scale, rng)
                identity = space.identity(child)
                if identity not in found and not tried(space, history, child):
                    fresh[identity] = Proposal(child, parent=proposals[leader].parent)
        if fresh:
            values = np.concatenate([values, value([*fresh.values()])])
            found |= fresh
    return [*found.values()], values


def changed(
    space: Space, centre: Architecture, scale: float, rng: np.random.Generator
) -> Architecture:
    """Return a similar network: some numbers moved a little, or one decision changed."""
    numbers = [path for path in centre if not isinstance(space.decisions[path].domain, Choice)]
    if not numbers or rng.random() < 1 - len(numbers) / len(centre):
        return space.mutate(centre, rng)
    move = set(rng.permutation(numbers)[: 1 + rng.integers(len(numbers))].tolist())

    def decide(decision: Decision) -> Value:
        domain = decision.domain
        if decision.path not in centre:
            return domain.sample(rng)
        if isinstance(domain, Choice) or decision.path not in move:
            return centre[decision.path]
        return domain.at(domain.unit(centre[decision.path]) + scale * rng.normal())

    return space.walk(decide)
