"""What is known of a network before its training, and whether it may be trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from raynas.errors import RefusedError
from raynas.trial import Constraint

Measured = Callable[[Mapping[str, Any]], Mapping[str, float]]
"""Returns what a probe measures of the network of an architecture (its values by path)."""


@dataclass(frozen=True, slots=True)
class ConstraintCheck:
    """Decides whether a network is trained.

    Attributes:
        constraints: The limits on what is known before training.
        probe: Measures networks; none if nothing is measured.
    """

    constraints: tuple[Constraint, ...] = ()
    probe: Measured | None = None

    def facts(
        self, architecture: Mapping[str, Any], costs: Mapping[str, float]
    ) -> dict[str, float]:
        """Return what is known of a network: its costs, and what the probe measures.

        A network whose costs break a constraint is not measured.

        Args:
            architecture: The values by path.
            costs: Its costs, by name.

        Raises:
            RefusedError: The network breaks a constraint.
            ProbeError: It could not be measured.
        """
        self._check(costs)
        if self.probe is None:
            return dict(costs)
        facts = {**costs, **self.probe(architecture)}
        self._check(facts)
        return facts

    def _check(self, facts: Mapping[str, float]) -> None:
        broken = [one.broken(facts) for one in self.constraints]
        if said := " and ".join(filter(None, broken)):
            raise RefusedError(said)


UNCONSTRAINED = ConstraintCheck()
"""Every network is trained, and none is measured."""
