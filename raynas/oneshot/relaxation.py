"""How a space becomes mixtures, and mixtures an architecture; pure Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from raynas.errors import SpaceError, unknown
from raynas.space import Architecture, Decision, Space, Value

Strengths = Mapping[str, Sequence[float]]
"""How strong each option of a decision is, by the path of the decision."""

Nodes = Mapping[str, Sequence[str]]
"""The decisions on the edges that enter a node, whose outputs it adds, by the name of the node."""


@dataclass(frozen=True, slots=True)
class Relaxation:
    """The decisions of a supernet, for a space whose own decisions cannot be mixed.

    DARTS is the example: an architecture says which two edges enter a node, and in the supernet
    all edges do. A module of a space defines ``RELAXATION`` if it needs one.

    Attributes:
        space: The decisions that ``build`` asks for by ``choose``.
        path: Returns the options that an architecture uses, as an architecture of ``space``.
        derive: Returns the architecture of the given strengths.
        nodes: The nodes that add the outputs of several mixtures, as far as they are known; no
            decision enters two. A method may learn how much each of these edges counts.

    Raises:
        SpaceError: A node names no decision of the space, or one that another node has.
    """

    space: Space
    path: Callable[[Architecture], Architecture]
    derive: Callable[[Strengths], Architecture]
    nodes: Nodes = field(default_factory=dict)

    @property
    def options(self) -> dict[str, int]:
        """The number of options of each open decision, by path."""
        counts = {path: one.domain.count for path, one in self.space.decisions.items()}
        return {path: int(count) for path, count in counts.items() if count > 1}

    def __post_init__(self) -> None:
        """Check the nodes."""
        seen: dict[str, str] = {}
        for node, edges in self.nodes.items():
            for path in edges:
                if path not in self.space.decisions:
                    raise SpaceError(
                        f"the node {node!r} of a relaxation must name decisions: "
                        f"{unknown('decision', path, self.space.decisions)}"
                    )
                if path in seen:
                    raise SpaceError(
                        f"a decision must enter one node of a relaxation: {path!r} enters "
                        f"{seen[path]!r} and {node!r}"
                    )
                seen[path] = node


def plain(space: Space, nodes: Nodes | None = None) -> Relaxation:
    """Return the relaxation of a space whose own decisions are mixed.

    The strongest option of each active decision is taken, the first of equal ones.

    Args:
        space: The space.
        nodes: The nodes that add the outputs of several mixtures; none if they are not known.
    """

    def derive(strengths: Strengths) -> Architecture:
        def decide(decision: Decision) -> Value:
            values: Sequence[Value] = tuple(decision.domain.values())
            strongest = strengths.get(decision.path, (0.0,) * len(values))
            return values[max(range(len(values)), key=strongest.__getitem__)]

        return space.walk(decide)

    return Relaxation(space, lambda architecture: architecture, derive, nodes or {})
