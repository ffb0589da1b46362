"""The limits that end a search before all its trials are trained."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from raynas.schedulers.memo import Memo
from raynas.trial import History, Objective, Session


@dataclass(slots=True)
class _Best:
    """The least loss of the trials that were not stopped, and how many of them were looked at."""

    loss: float = math.inf
    seen: int = 0


@dataclass(frozen=True, slots=True)
class Target:
    """A score that is good enough.

    Attributes:
        objective: The metric and its direction.
        value: The score, in the metric's unit.
    """

    objective: Objective
    value: float
    _best: Memo[_Best] = field(
        default_factory=lambda: Memo(_Best), init=False, repr=False, compare=False
    )

    def met(self, history: History) -> bool:
        """Return whether a trial has reached it at the end of its training.

        A trial that reaches it earlier may lose it again, and cannot be the winner.

        Raises:
            ConfigError: Trials do not report the metric.
        """
        enough = self.objective.loss({self.objective.metric: self.value})
        best = self._best.of(history)
        for trial in islice(history.completed, best.seen, None):
            best.loss = min(best.loss, self.objective.loss(trial.metrics))
            best.seen += 1
        return best.loss <= enough


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a search; when one is reached, the search ends at once.

    Attributes:
        time: Seconds of search in all sessions, without the time between sessions.
        gpu_hours: The number of GPUs held, times hours.
        target: The score that is good enough.
        max_failures: How many trials may fail; trials answered from the history do not count.
    """

    time: float = math.inf
    gpu_hours: float = math.inf
    target: Target | None = None
    max_failures: float = math.inf

    def reached(self, history: History, now: float | None = None) -> str:
        """Return the name of a limit that is reached; empty if none is reached.

        Args:
            history: What happened.
            now: The present time, if the last session still runs; none if it is over.

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
        if self.max_failures < math.inf and _failures(history) >= self.max_failures:
            return "max_failures"
        return ""


def _until(sessions: Sequence[Session], now: float | None) -> Sequence[Session]:
    if now is None or not sessions:
        return sessions
    return [*sessions[:-1], replace(sessions[-1], until=now)]


def _failures(history: History) -> int:
    """Return how many trials failed that were trained; there are few, or the run has ended."""
    return sum(trial.trained for trial in history.failed)
