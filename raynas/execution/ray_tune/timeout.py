"""The time that a trial may take: whoever exceeds it has failed, and its worker is replaced."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import ray
from ray.tune.experiment import Trial as TuneTrial


class TrialTimeout:
    """Ends the worker of a trial that runs for too long, whatever it is doing.

    A trial that is paused and goes on later is given the time anew.

    Attributes:
        seconds: How long a trial may run; infinite for as long as it likes.
        ended: Tune's ids of the trials that were ended.
    """

    def __init__(self, seconds: float) -> None:
        """Begin before any trial runs."""
        self.seconds = seconds
        self.ended: set[str] = set()
        self._since: dict[str, float] = {}

    @property
    def reason(self) -> str:
        """Why such a trial has failed, in one sentence."""
        return f"it ran for more than {self.seconds:g} s, which is the limit (--trial-timeout)"

    def enforce(self, trials: Iterable[TuneTrial]) -> None:
        """End those that run and are overdue."""
        now = time.monotonic()
        running = {one.trial_id: one for one in trials if one.status == TuneTrial.RUNNING}
        self._since = {name: self._since.get(name, now) for name in running}
        for name, since in self._since.items():
            actor: Any = running[name].temporary_state.ray_actor
            if now - since > self.seconds and name not in self.ended and actor is not None:
                self.ended.add(name)
                running[name].max_failures = 0  # it would take as long again
                ray.kill(actor)
