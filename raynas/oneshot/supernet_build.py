"""The ``build`` of a supernet's trial."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from raynas.oneshot.relaxation import Relaxation
from raynas.oneshot.search import METHOD
from raynas.rng import path_rng
from raynas.space import Architecture, Space


@dataclass(frozen=True, slots=True)
class SupernetBuild:
    """Makes the supernet of the method that a trial names; importable without torch.

    Attributes:
        build: The ``build`` of the space, given all but the architecture.
        space: The space.
        relaxation: How the space becomes mixtures.
        shares: One over the share of channels that mixtures compute, by method; 0 for a supernet
            of single paths.
        seed: The seed of the architectures that a supernet of single paths looks at.
    """

    build: Callable[[Any], Any]
    space: Space
    relaxation: Relaxation
    shares: Mapping[str, int]
    seed: int = 0

    def __call__(self, architecture: Architecture) -> Any:
        """Return the supernet.

        Raises:
            SpaceError: The space cannot serve it.
        """
        from raynas.oneshot.mixed import MixedSupernet  # noqa: PLC0415 - loads torch
        from raynas.oneshot.store import StoredSupernet  # noqa: PLC0415

        share = self.shares[str(architecture[METHOD])]
        if share:
            return MixedSupernet(self.build, self.space, self.relaxation, share)
        return StoredSupernet(self.build, self.space, path_rng(self.seed, 0))
