"""Local search with restarts (White et al., 2021, arXiv:2005.02960).

The variant that moves as soon as a neighbour is better, which needs fewer trainings than trying
the whole neighbourhood before each move.

Differs from the paper: trials run in parallel, so a worker that is free while the last neighbours
still train begins the next climb; the old climb is taken up again if one of those turns out to be
better than anything seen since.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import dropwhile, takewhile

import numpy as np

from raynas.errors import ConfigError
from raynas.searchers.requirements import OneObjective
from raynas.searchers.selection import rank, sample_untried, untried
from raynas.space import Space
from raynas.trial import History, Proposal, Trial


@dataclass(frozen=True, slots=True)
class LocalSearch(OneObjective):
    """Try the untried neighbours of the best trial of a climb; start anew where there are none.

    A climb begins with trials that have no parent; every other trial's parent is the centre whose
    neighbour it is. So the history itself tells how far the climb is.

    Attributes:
        space: Where architectures live.
        starts: Random architectures at the foot of a climb, of which the best is climbed from.

    Raises:
        ConfigError: There is less than one start.
    """

    space: Space
    starts: int = 1

    def __post_init__(self) -> None:
        """Check the number of starts."""
        if self.starts < 1:
            raise ConfigError(f"local search needs starts >= 1, got {self.starts}")

    def propose(self, history: History, rng: np.random.Generator) -> Proposal:
        """Propose an untried neighbour of the climb's best, or a random architecture."""
        foot = _foot(history)
        centre = _best_since(history, foot) if len(foot) >= self.starts else None
        if centre is not None:
            neighbours = self.space.neighbours(centre.architecture, rng)
            for architecture in untried(self.space, history, neighbours):
                return Proposal(architecture, parent=centre.number)
        return Proposal(sample_untried(self.space, history, rng))


def _foot(history: History) -> Sequence[Trial]:
    """Return the trials with which the last climb began, latest first."""
    latest = dropwhile(_has_parent, reversed(history.trials.values()))
    return list(takewhile(lambda trial: not _has_parent(trial), latest))


def _best_since(history: History, foot: Sequence[Trial]) -> Trial | None:
    """Return the best trial that finished after the climb had begun; none before the first.

    One of an earlier climb counts only if it is better than its parent: its climb would go on.
    """

    def counts(trial: Trial) -> bool:
        parent = trial.started.parent
        return parent is None or rank(trial) < rank(history.trials[parent])

    finished = history.finished[foot[-1].known :]
    return min(filter(counts, finished), key=rank, default=None)


def _has_parent(trial: Trial) -> bool:
    return trial.started.parent is not None
