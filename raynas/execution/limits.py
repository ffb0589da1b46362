"""What ends a search while there are trials left."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from raynas.trial import Failed, Finished, History, Objective, Session


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
        time: Seconds of search, all sessions together, without the time between them.
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
            now: The time up to which the last session goes on; none if it is over.

        Raises:
            ConfigError: Trials do not report the target's metric.
        """
        sessions = _until(history.sessions, now)
        if math.fsum(session.seconds for session in sessions) >= self.time:
            return "time"
        if math.fsum(session.gpu_seconds for session in sessions) >= 3600 * self.gpu_hours:
            return "gpu_hours"
        if self.target is not None and self.target.met(history):
            return "target"
        if sum(_tried(trial.outcome) for trial in history.failed) >= self.max_failures:
            return "max_failures"
        return ""


def _until(sessions: Sequence[Session], now: float | None) -> Sequence[Session]:
    if now is None or not sessions:
        return sessions
    return [*sessions[:-1], replace(sessions[-1], until=now)]


def _tried(outcome: Finished | Failed | None) -> bool:
    return outcome is not None and outcome.answered_by is None
