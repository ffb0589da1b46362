"""The ``build`` of a supernet's trial."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from raynas.oneshot.relaxation import Relaxation
from raynas.oneshot.search import METHOD
from raynas.space import Architecture, Space


@dataclass(frozen=True, slots=True)
class SupernetBuild:
    """Makes the supernet of the method that a trial names; importable without torch.

    Attributes:
        build: The ``build`` of the space, given all but the architecture.
        space: The space.
        relaxation: How the space becomes mixtures.
        shares: One over the share of channels that mixtures compute, by method.
    """

    build: Callable[[Any], Any]
    space: Space
    relaxation: Relaxation
    shares: Mapping[str, int]

    def __call__(self, architecture: Architecture) -> Any:
        """Return the supernet.

        Raises:
            SpaceError: The space cannot serve it.
        """
        from raynas.oneshot.supernet import Supernet  # noqa: PLC0415 - loads torch

        share = self.shares[str(architecture[METHOD])]
        return Supernet(self.build, self.space, self.relaxation, share)
