"""The plan of a search."""

from __future__ import annotations

from dataclasses import dataclass, field

from raynas.execution.limits import Limits
from raynas.schedulers import Scheduler
from raynas.searchers import Searcher
from raynas.space import Space


@dataclass(frozen=True, slots=True)
class Plan:
    """What is searched, how, and how long.

    Attributes:
        space: The search space.
        searcher: Proposes architectures.
        scheduler: Decides after every epoch whether a trial continues.
        trials: How many trials to train; trials answered from the journal do not count. May be
            infinite.
        epochs: The full length of a trial.
        seed: The seed of the run.
        limits: Limits that end the search earlier.
    """

    space: Space
    searcher: Searcher
    scheduler: Scheduler
    trials: float
    epochs: int
    seed: int
    limits: Limits = field(default_factory=Limits)
