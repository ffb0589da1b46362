"""A Ray Tune scheduler inside raynas."""

from __future__ import annotations

from collections.abc import Collection
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from ray.tune.experiment import Trial as TuneTrial
from ray.tune.schedulers import (
    PopulationBasedTraining,
    PopulationBasedTrainingReplay,
    ResourceChangingScheduler,
    TrialScheduler,
)

from raynas.errors import ConfigError
from raynas.execution.ray_tune.scheduler_replay import SchedulerReplay, number_of
from raynas.schedulers import Hold, Resume, Verdict
from raynas.schedulers.memo import Memo
from raynas.space import Space
from raynas.trial import History, Report

_EPOCHS: Final = ("training_iteration", "epoch")
_POPULATIONS: Final = (PopulationBasedTraining, PopulationBasedTrainingReplay)


@dataclass(frozen=True, slots=True)
class TuneSchedulerAdapter:
    """Decides what a Ray Tune scheduler decides on the first objective, its ``loss``.

    Unlike raynas's own it has a state of its own: every run begins with a copy of it as it was
    given, and a resumed run tells that all that happened, in its order. What was decided stands;
    where it would now decide otherwise, as one that draws may, it goes on from there.

    What it pauses is stopped and taken up again when it says so. As under Ray Tune with a searcher
    it knows of one trial ahead of those that have begun, while there are more to begin.

    Attributes:
        scheduler: The Ray Tune scheduler, made without metric and mode; it is left as it is.

    Raises:
        ConfigError: It has a metric or mode already, or asks for what only Ray Tune does.
    """

    scheduler: TrialScheduler
    _replay: Memo[SchedulerReplay] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check that it can be led."""
        kind = type(self.scheduler).__name__
        if isinstance(self.scheduler, _POPULATIONS):
            raise ConfigError(
                f"{kind} copies trials inside Ray Tune and cannot be led by raynas: use the "
                "scheduler 'pbt', which does the same to architectures and training"
            )
        if isinstance(self.scheduler, ResourceChangingScheduler):
            raise ConfigError(
                f"{kind} deals out resources, which raynas does itself: give the scheduler in it"
            )
        if not _ready(self.scheduler)[1]:
            raise ConfigError(
                f"{kind} must be made without metric and mode: raynas hands over its own"
            )
        object.__setattr__(
            self, "_replay", Memo(lambda: SchedulerReplay(_ready(self.scheduler)[0]))
        )

    def check(self, epochs: int) -> None:
        """Refuse brackets longer than a trial: who ends sooner leaves his, which never fills.

        The others check themselves as they are made.
        """
        longest, unit = (
            getattr(self.scheduler, name, None) for name in ("_max_t_attr", "_time_attr")
        )
        if longest is not None and unit in _EPOCHS and longest > epochs:
            raise ConfigError(
                f"{type(self.scheduler).__name__} needs max_t <= epochs, got a max_t of {longest} "
                f"for trials of {epochs}: lower max_t, or raise epochs"
            )

    def decide(self, report: Report, history: History) -> Verdict:
        """Tell it of the report and what came before; stop what it stops or pauses."""
        runs = self._replay.of(history).follow(history)[report.number].status == TuneTrial.RUNNING
        return Verdict.GO if runs else Verdict.STOP

    def direct(
        self,
        history: History,
        space: Space,  # noqa: ARG002 - by contract
        rng: np.random.Generator,  # noqa: ARG002 - by contract
        *,
        closed: bool,
    ) -> Resume | Hold | None:
        """Ask which trial it would run: a paused one, or the one that has yet to begin."""
        replay = self._replay.of(history)
        replay.follow(history)
        chosen = replay.choose(history, closed=closed)
        if chosen is None:
            return Hold.WAIT if history.running and not closed else None
        return Resume(number_of(chosen)) if chosen.status == TuneTrial.PAUSED else None

    def keeps(self, history: History) -> Collection[int]:
        """Return the trials it has paused."""
        stubs = self._replay.of(history).follow(history)
        paused = (number for number, stub in stubs.items() if stub.status == TuneTrial.PAUSED)
        return [number for number in paused if history.trials[number].resumable]


def _ready(scheduler: TrialScheduler) -> tuple[TrialScheduler, bool]:
    """Return a copy that was told what to minimise, and whether it took that."""
    copy = deepcopy(scheduler)
    return copy, copy.set_search_properties("loss", "min")
