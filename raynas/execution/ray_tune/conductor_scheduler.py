"""A Tune scheduler that passes reports to the conductor and returns its decisions."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from signal import Signals
from typing import Any

from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from raynas.execution.ray_tune.bridge import Bridge
from raynas.execution.ray_tune.trainable import FINAL, as_event
from raynas.execution.retries import remedy_for
from raynas.execution.winner import EXPORT_SECONDS, Tested, WinnerEvent
from raynas.execution.worker import Notice
from raynas.schedulers import Verdict
from raynas.trial import Failed, WinnerEpoch

_LOG = logging.getLogger("raynas")


class ConductorScheduler(FIFOScheduler):  # type: ignore[misc]  # Ray ships no types
    """Passes the results of trials to the conductor, and its decisions to Tune."""

    def __init__(self, bridge: Bridge) -> None:
        """Serve ``bridge``."""
        super().__init__()
        self._bridge = bridge
        self._told_of_signal = False

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        """Keep a reference to Tune's controller, which runs the trials."""
        super().on_trial_add(tune_controller, trial)
        self._bridge.controller = tune_controller

    def choose_trial_to_run(self, tune_controller: Any) -> Any:
        """Choose as Tune does; first handle signals and check the time limits.

        Tune calls this in every round of its loop.
        """
        interruption = self._bridge.conductor.interruption
        interruption.listen()
        if interruption.signal and not self._told_of_signal:
            self._told_of_signal = True
            _LOG.info(
                "%s: trials end after their current epoch; a second signal ends the run at once",
                Signals(interruption.signal).name,
            )
        live = tune_controller.get_live_trials()
        over = bool(self._bridge.conductor.limit)
        self._bridge.guarded(lambda: self._bridge.timeouts.enforce(live, over=over), None)
        return super().choose_trial_to_run(tune_controller)

    def on_trial_result(
        self,
        tune_controller: Any,  # noqa: ARG002 - Tune's signature
        trial: Any,
        result: Mapping[str, Any],
    ) -> str:
        """Pass a result to the conductor; return whether the trial stops or continues."""
        self._bridge.timeouts.heard(trial.trial_id)
        verdict = self._bridge.guarded(lambda: self._told(trial.trial_id, result), Verdict.STOP)
        stop, go = TrialScheduler.STOP, TrialScheduler.CONTINUE
        return str(stop if verdict is Verdict.STOP else go)

    def on_trial_complete(
        self,
        tune_controller: Any,  # noqa: ARG002 - Tune's signature
        trial: Any,
        result: Mapping[str, Any],  # noqa: ARG002 - Tune's signature
    ) -> None:
        """Delete Tune's statistics: ten numbers for each metric of each trial.

        The journal has all reports.
        """
        trial.run_metadata.metric_analysis.clear()
        trial.run_metadata.metric_n_steps.clear()
        trial.run_metadata.last_result = {}

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """Record the error that ended a trial."""
        super().on_trial_error(tune_controller, trial)
        self._bridge.note_error(trial)

    def _told(self, trial_id: str, result: Mapping[str, Any]) -> Verdict:
        if FINAL in result:
            return self._told_of_winner(trial_id, result[FINAL])
        event = as_event(result)
        if isinstance(event, Notice):
            _LOG.warning("trial %d %s", event.number, event.text)
            return Verdict.GO
        if isinstance(event, Failed):
            shared = self._bridge.room.trials[event.number].shared
            self._bridge.fail(event, remedy_for(event, shared=shared))
            return Verdict.STOP
        return self._bridge.conductor.report(event)

    def _told_of_winner(self, trial_id: str, event: WinnerEvent) -> Verdict:
        if isinstance(event, Failed):
            self._bridge.note_failure(trial_id, event)
            return Verdict.STOP
        self._bridge.final.take(event)
        if isinstance(event, Tested):
            self._bridge.timeouts.exporting(EXPORT_SECONDS)
        if isinstance(event, WinnerEpoch) and self._bridge.conductor.interruption.signal:
            return Verdict.STOP  # the worker has written a checkpoint
        return Verdict.GO if isinstance(event, WinnerEpoch | Tested) else Verdict.STOP

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle nothing of the run; Tune pickles its schedulers, but raynas never loads them."""
        return FIFOScheduler, ()
