"""How a space becomes mixtures, and mixtures an architecture; pure Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from raynas.space import Architecture, Decision, Space, Value

Strengths = Mapping[str, Sequence[float]]
"""How strong each option of a decision is, by the path of the decision."""


@dataclass(frozen=True, slots=True)
class Relaxation:
    """The decisions of a supernet, for a space whose own decisions cannot be mixed.

    DARTS is the example: an architecture says which two edges enter a node, and in the supernet
    all edges do. A module of a space defines ``RELAXATION`` if it needs one.

    Attributes:
        space: The decisions that ``build`` asks for by ``choose``.
        path: Returns the options that an architecture uses, as an architecture of ``space``.
        derive: Returns the architecture of the given strengths.
    """

    space: Space
    path: Callable[[Architecture], Architecture]
    derive: Callable[[Strengths], Architecture]


def plain(space: Space) -> Relaxation:
    """Return the relaxation of a space whose own decisions are mixed.

    The strongest option of each active decision is taken, the first of equal ones.
    """

    def derive(strengths: Strengths) -> Architecture:
        def decide(decision: Decision) -> Value:
            values: Sequence[Value] = tuple(decision.domain.values())
            strongest = strengths.get(decision.path, (0.0,) * len(values))
            return values[max(range(len(values)), key=strongest.__getitem__)]

        return space.walk(decide)

    return Relaxation(space, lambda architecture: architecture, derive)
