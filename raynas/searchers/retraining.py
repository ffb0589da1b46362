"""Train given architectures again, each several times."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from raynas.space import Architecture, Space
from raynas.trial import History, Proposal


@dataclass(frozen=True, slots=True)
class Retraining:
    """Propose each architecture once, then each a second time, and so on; keep all weights.

    What the history holds counts, so architectures and trainings can be added later.

    Attributes:
        space: Where the architectures live.
        architectures: What to train.
        count: How often each is trained.
        folds: Into how many parts the data are divided, of which each training leaves out another;
            the division of a trial is the number of this part.
    """

    breeds: ClassVar = False
    space: Space
    architectures: Sequence[Architecture]
    count: int
    folds: int = 1

    def propose(self, history: History, rng: np.random.Generator) -> Proposal | None:
        """Return the next training; none after the last one."""
        del rng
        begun = [len([*history.same(self.space.identity(one))]) for one in self.architectures]
        fewest = min(begun, default=self.count)
        if fewest >= self.count:
            return None
        architecture = self.architectures[begun.index(fewest)]
        return Proposal(architecture, repeat=True, division=fewest % self.folds)

    def missing(self, history: History) -> int:
        """Return how many trainings have not begun."""
        begun = [len([*history.same(self.space.identity(one))]) for one in self.architectures]
        return sum(max(0, self.count - one) for one in begun)

    def keeps(self, history: History) -> Collection[int]:
        """Return all trials."""
        return [*history.trials]
