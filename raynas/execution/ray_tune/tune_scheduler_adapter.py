"""Use a Ray Tune scheduler in raynas."""

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
    """Makes the decisions of a Ray Tune scheduler; it minimises the first objective, ``loss``.

    Unlike raynas's own schedulers, a Ray Tune scheduler has a state. So each run uses a copy of
    the given scheduler, and a resumed run replays the history to a new copy, event by event.
    Decisions in the history are not changed, even if the copy would decide differently, for
    example because it draws random numbers.

    A trial that the scheduler pauses is stopped, and it is resumed when the scheduler resumes it.
    As in Ray Tune, the scheduler already knows the next trial before it begins, as long as there
    are trials to begin.

    Attributes:
        scheduler: The Ray Tune scheduler, made without metric and mode; it is not changed.

    Raises:
        ConfigError: The scheduler has a metric or mode already, or needs what only Ray Tune does.
    """

    scheduler: TrialScheduler
    _replay: Memo[SchedulerReplay] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check that raynas supports the scheduler, and prepare its replay."""
        kind = type(self.scheduler).__name__
        if isinstance(self.scheduler, _POPULATIONS):
            raise ConfigError(
                f"raynas does not support {kind}, which copies trials inside Ray Tune: use the "
                "scheduler 'pbt', which does the same for architectures and training"
            )
        if isinstance(self.scheduler, ResourceChangingScheduler):
            raise ConfigError(
                f"raynas does not support {kind}, because raynas itself assigns resources: give "
                "the scheduler inside it"
            )
        if not _ready(self.scheduler)[1]:
            raise ConfigError(
                f"{kind} must be made without metric and mode, because raynas sets them"
            )
        object.__setattr__(
            self, "_replay", Memo(lambda: SchedulerReplay(_ready(self.scheduler)[0]))
        )

    def check(self, epochs: int) -> None:
        """Check that ``max_t`` is not above the full length of a trial.

        Otherwise trials would end and leave their bracket too early, and it would never be full.

        Args:
            epochs: The full length of a trial.

        Raises:
            ConfigError: ``max_t`` is above ``epochs``.
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
        """Give the scheduler the report and earlier events; stop a trial it stops or pauses."""
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
        """Return which trial the scheduler runs next: a paused trial to resume, or none.

        Returns:
            ``Resume`` for a paused trial; ``Hold.WAIT`` if the scheduler waits for running
            trials; none otherwise: then the next trial may begin, if there is one.
        """
        replay = self._replay.of(history)
        replay.follow(history)
        chosen = replay.choose(history, closed=closed)
        if chosen is None:
            return Hold.WAIT if history.running and not closed else None
        return Resume(number_of(chosen)) if chosen.status == TuneTrial.PAUSED else None

    def keeps(self, history: History) -> Collection[int]:
        """Return the numbers of the trials that the scheduler has paused."""
        stubs = self._replay.of(history).follow(history)
        paused = (number for number, stub in stubs.items() if stub.status == TuneTrial.PAUSED)
        return [number for number in paused if history.trials[number].resumable]


def _ready(scheduler: TrialScheduler) -> tuple[TrialScheduler, bool]:
    """Return a copy that minimises ``loss``, and whether it accepted this metric."""
    copy = deepcopy(scheduler)
    return copy, copy.set_search_properties("loss", "min")
