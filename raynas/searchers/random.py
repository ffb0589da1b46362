"""Random search: the baseline for every other searcher."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from raynas.space import Space
from raynas.trial import History, Proposal


@dataclass(frozen=True, slots=True)
class RandomSearch:
    """Draw every architecture from the space's prior, independent of the history.

    Attributes:
        space: The search space.
    """

    breeds: ClassVar = False
    space: Space

    def propose(self, history: History, rng: np.random.Generator) -> Proposal:  # noqa: ARG002 - by contract
        """Draw one."""
        return Proposal(self.space.sample(rng), random=True)
