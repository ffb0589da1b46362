"""What ends a search while there are trials left."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from raynas.trial import Failed, Finished, History, Objective, Sitting


@dataclass(frozen=True, slots=True)
class Target:
    """A score that is good enough.

    Attributes:
        objective: Of which metric, and whether more or less of it is better.
        value: In the metric's unit.
    """

    objective: Objective
    value: float

    def met(self, history: History) -> bool:
        """Say whether a trial has reached it at the end of its training.

        One that reaches it on the way may lose it again, and cannot win.

        Raises:
            ConfigError: Trials do not report the metric.
        """
        enough = self.objective.loss({self.objective.metric: self.value})
        return any(
            self.objective.loss(trial.metrics) <= enough
            for trial in history.finished
            if not trial.stopped
        )


@dataclass(frozen=True, slots=True)
class Limits:
    """When a search ends at once, whatever was still to come.

    Attributes:
        time: Seconds that processes may search, all sittings together, not the time in between.
        gpu_hours: GPUs held, times hours.
        target: The score that is good enough.
        max_failures: Trials that were tried and failed; those answered by them do not count.
    """

    time: float = math.inf
    gpu_hours: float = math.inf
    target: Target | None = None
    max_failures: float = math.inf

    def reached(self, history: History, now: float | None = None) -> str:
        """Return the name of a limit that is reached; nothing while there is none.

        Args:
            history: What happened.
            now: The time up to which the last sitting goes on; none if it is over.

        Raises:
            ConfigError: Trials do not report the target's metric.
        """
        sittings = _until(history.sittings, now)
        if math.fsum(sitting.seconds for sitting in sittings) >= self.time:
            return "time"
        if math.fsum(sitting.gpu_seconds for sitting in sittings) >= 3600 * self.gpu_hours:
            return "gpu_hours"
        if self.target is not None and self.target.met(history):
            return "target"
        if sum(_tried(trial.outcome) for trial in history.failed) >= self.max_failures:
            return "max_failures"
        return ""


def _until(sittings: Sequence[Sitting], now: float | None) -> Sequence[Sitting]:
    if now is None or not sittings:
        return sittings
    return [*sittings[:-1], replace(sittings[-1], until=now)]


def _tried(outcome: Finished | Failed | None) -> bool:
    return outcome is not None and outcome.answered_by is None
