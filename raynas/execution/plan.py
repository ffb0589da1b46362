"""What a search is to do."""

from __future__ import annotations

from dataclasses import dataclass, field

from raynas.execution.limits import Limits
from raynas.schedulers import Scheduler
from raynas.searchers import Searcher
from raynas.space import Space


@dataclass(frozen=True, slots=True)
class Plan:
    """What is searched, how, and how much of it.

    Attributes:
        space: Where architectures live.
        searcher: Proposes them.
        scheduler: Decides after every epoch who goes on.
        trials: How many trials to train; those answered from the journal come on top. May be
            infinite.
        epochs: The full length of a trial.
        seed: The seed of the run.
        limits: What ends it sooner.
    """

    space: Space
    searcher: Searcher
    scheduler: Scheduler
    trials: float
    epochs: int
    seed: int
    limits: Limits = field(default_factory=Limits)
