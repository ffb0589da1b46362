"""Limits of the time to wait for a worker; a worker that exceeds one is killed and replaced.

A trial is waited for as long as ``--trial-timeout`` says. Without it, a trial has failed if it
reports nothing for twenty times as long as the longest epoch so far, and for at least an hour.
When a limit of the run is reached, trials have the grace time to come to the end of their epoch.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import ray
from ray.tune.experiment import Trial as TuneTrial

from raynas.errors import ResourceError

_EPOCHS: Final = 20  # epochs of one search differ by their networks, hardly by more
_LEAST: Final = 3600.0  # seconds, for what precedes the first epoch is not known
_START: Final = 3600.0  # seconds for a worker to start; others may hold what a cluster has
_TOO_LONG: Final = "it ran for more than {:g} s, which is the limit (--trial-timeout)"
_TOO_LONG_EXPORT: Final = "the export took more than {:g} s, which is the limit"
_SILENT: Final = (
    "it reported nothing for {:g} s, which is the limit without --trial-timeout: {} times the "
    "longest epoch so far, and at least {:g} s"
)


@dataclass(slots=True)
class Timeouts:
    """Kills workers that exceed a limit.

    When a paused trial continues, its time begins again.

    Attributes:
        trial: Seconds that a trial may run; none for a limit on its silence.
        grace: Seconds in which trials come to the end of their epoch once the run is over.
        ended: Why a trial was ended, by Tune's trial id; empty if only because the run is over.
        ended_after: Seconds since it had reported, likewise.
    """

    trial: float | None
    grace: float
    clock: Callable[[], float] = time.monotonic
    ended: dict[str, str] = field(init=False, default_factory=dict)
    ended_after: dict[str, float] = field(init=False, default_factory=dict)
    _begun: dict[str, float] = field(init=False, default_factory=dict)
    _heard: dict[str, float] = field(init=False, default_factory=dict)
    _waiting: dict[str, float] = field(init=False, default_factory=dict)
    _longest: float = field(init=False, default=0.0)
    _over: float = field(init=False, default=math.inf)
    _search: bool = field(init=False, default=True)
    _export: float | None = field(init=False, default=None)

    def search_over(self) -> None:
        """Take note that the winner is trained now, for which no limit of the run counts.

        Nor does that of a trial: the winner's training may be longer. If it begins anew, neither
        does the limit of an export that it had come to.
        """
        self._search, self.trial, self._export = False, None, None

    def exporting(self, seconds: float) -> None:
        """Take note that the winner is exported now, and how long that may take."""
        self._export = seconds

    def heard(self, trial_id: str) -> None:
        """Take note that a trial has reported."""
        now = self.clock()
        if trial_id in self._heard:
            self._longest = max(self._longest, now - self._heard[trial_id])
            self._heard[trial_id] = now

    def enforce(self, trials: Iterable[TuneTrial], *, over: bool) -> None:
        """End what is overdue.

        Args:
            trials: Those that Tune has not ended.
            over: Whether a limit of the run is reached.

        Raises:
            ResourceError: A worker does not start.
        """
        now = self.clock()
        self._over = min(self._over, now) if over and self._search else math.inf
        live = list(trials)
        running = {one.trial_id: one for one in live if one.status == TuneTrial.RUNNING}
        pending = {one.trial_id: one for one in live if one.status == TuneTrial.PENDING}
        self._begun = {name: self._begun.get(name, now) for name in running}
        self._heard = {name: self._heard.get(name, now) for name in running}
        self._waiting = {name: self._waiting.get(name, now) for name in pending}
        for name, reason in self._overdue(now):
            actor: Any = running[name].temporary_state.ray_actor
            if name not in self.ended and actor is not None:
                self.ended[name] = reason
                self.ended_after[name] = now - self._heard[name]
                ray.kill(actor)
        if any(now - since > _START for since in self._waiting.values()):
            raise ResourceError(
                f"a worker must start within {_START:g} s, and one did not: look at the state of "
                "the cluster (ray status), then resume the run"
            )

    def _overdue(self, now: float) -> Iterator[tuple[str, str]]:
        """Yield who is overdue, and why a trial has failed by that."""
        silence = max(_LEAST, _EPOCHS * self._longest)
        for name in self._begun:
            if self._export is not None:
                if now - self._heard[name] > self._export:
                    yield name, _TOO_LONG_EXPORT.format(self._export)
            elif self.trial is not None and now - self._begun[name] > self.trial:
                yield name, _TOO_LONG.format(self.trial)
            elif self.trial is None and now - self._heard[name] > silence:
                yield name, _SILENT.format(silence, _EPOCHS, _LEAST)
            elif now - self._over > self.grace:
                yield name, ""
