"""Which networks of a space keep constraints on what they cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from raynas.costs import measure
from raynas.errors import ConfigError, TrialError
from raynas.space import Architecture, Space
from raynas.training.child import Build, built
from raynas.trial import Constraint, violation

CostsOf = Callable[[Architecture], Mapping[str, float] | None]
"""Returns the costs of an architecture's network by name; none if it cannot be built."""

_TRIES: Final = 1000  # random architectures, of which one must keep the constraints


@dataclass(frozen=True, slots=True)
class Feasibility:
    """Says which networks keep constraints.

    Attributes:
        space: The space of the architectures.
        constraints: The constraints on costs.
        costs: Returns the costs of a network.
    """

    space: Space
    constraints: tuple[Constraint, ...]
    costs: CostsOf
    _known: dict[Architecture, Mapping[str, float] | None] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def keeps(self, architecture: Architecture) -> bool:
        """Return whether a network keeps all constraints; one that cannot be built does not."""
        if not self.constraints:
            return True
        found = self._costs(architecture)
        return found is not None and not violation(self.constraints, found)

    def drawn(self, draw: Callable[[], Architecture]) -> Architecture | None:
        """Draw until an architecture keeps the constraints; none if that takes too long."""
        every = (draw() for _ in range(_TRIES))
        return next((one for one in every if self.keeps(one)), None)

    def check(self, rng: np.random.Generator) -> None:
        """Check that random architectures can keep the constraints.

        Raises:
            ConfigError: None of many is.
        """
        if self.drawn(lambda: self.space.sample(rng)) is not None:
            return
        seen = [costs for costs in self._known.values() if costs is not None]
        wanted = " and ".join(f"{one.metric} {one}" for one in self.constraints)
        nearest = min(seen, key=lambda costs: violation(self.constraints, costs), default={})
        found = " and ".join(
            f"{one.metric} {nearest.get(one.metric, math.nan):.10g}" for one in self.constraints
        )
        raise ConfigError(
            f"some networks must have {wanted}: of {_TRIES} random ones none has, and the "
            f"nearest one has {found}; change the constraint"
        )

    def _costs(self, architecture: Architecture) -> Mapping[str, float] | None:
        # Not by identity: equal networks may be built with layers that do nothing, or without.
        if architecture not in self._known:
            self._known[architecture] = self.costs(architecture)
        return self._known[architecture]


def costs_of(build: Build, inputs: Any) -> CostsOf:
    """Return what counts the parameters and multiply-adds of networks.

    Args:
        build: Makes the network of an architecture.
        inputs: The inputs of one example, on the CPU.
    """

    def counted(architecture: Architecture) -> Mapping[str, float] | None:
        try:
            child = built(build, architecture, lambda: inputs)
        except TrialError:
            return None
        return measure(child, inputs).known

    return counted
