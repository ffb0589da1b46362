"""Looking for networks that are worth more: the most promising are changed, again and again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from raynas.searchers.gp.layout import Floats
from raynas.searchers.selection import tried
from raynas.space import Architecture, Choice, Decision, Space
from raynas.space.values import Value
from raynas.trial import History, Proposal

_SCALES: Final = (0.1, 0.03, 0.01)  # of a number's range: how far it moves, round by round
_LEADERS: Final = 4  # networks that are changed in a round
_CHANGED: Final = 16  # into how many others each


def climb(
    space: Space,
    history: History,
    start: Sequence[Proposal],
    value: Callable[[Sequence[Proposal]], Floats],
    rng: np.random.Generator,
) -> tuple[list[Proposal], Floats]:
    """Return untried networks and their values ``[networks]``, those to start from first.

    In a space of choices alone nobody climbs: the neighbours of good networks are among those to
    start from, and on NAS-Bench-201 nothing was found by going further.

    Args:
        space: Where they live.
        history: What was tried.
        start: Untried networks, at least one; of equal ones the first counts.
        value: Says what networks are worth, ``[networks]``.
        rng: Where randomness comes from.
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
    """Return a network nearby: its numbers moved a little, or a decision taken anew."""
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
