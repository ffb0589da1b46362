"""Local search with restarts (White et al., 2021, arXiv:2005.02960).

This variant moves as soon as a neighbour is better. It needs fewer trainings than the variant
that tries the whole neighbourhood before each move.

Differs from the paper: trials run in parallel, so a worker that is free while the last neighbours
still train starts the next climb; the old climb continues if one of these neighbours is better
than everything seen since.
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
    """Train the untried neighbours of a climb's best trial; restart if there are none left.

    The first trials of a climb have no parent. The parent of every other trial is the centre
    whose neighbour it is. So the state of the climb can be read from the history.

    Attributes:
        space: The search space.
        starts: How many random architectures start a climb; the climb goes on from the best.

    Raises:
        ConfigError: ``starts`` is below one.
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
        return Proposal(sample_untried(self.space, history, rng), random=True)


def _foot(history: History) -> Sequence[Trial]:
    """Return the trials with which the last climb began, latest first."""
    latest = dropwhile(_has_parent, reversed(history.trials.values()))
    return list(takewhile(lambda trial: not _has_parent(trial), latest))


def _best_since(history: History, foot: Sequence[Trial]) -> Trial | None:
    """Return the best trial that finished after the climb had begun; none before the first.

    A trial of an earlier climb counts only if it is better than its parent.
    """

    def counts(trial: Trial) -> bool:
        parent = trial.started.parent
        return parent is None or rank(trial) < rank(history.trials[parent])

    finished = history.finished[foot[-1].known :]
    return min(filter(counts, finished), key=rank, default=None)


def _has_parent(trial: Trial) -> bool:
    return trial.started.parent is not None
