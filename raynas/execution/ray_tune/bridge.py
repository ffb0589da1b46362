"""State that the adapters of Tune's searcher and scheduler share, and the errors of trials."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from ray import cloudpickle
from ray.exceptions import ActorUnavailableError

from raynas.errors import StorageError
from raynas.execution.conductor import Conductor
from raynas.execution.packing import FreeResources, Shares
from raynas.execution.ray_tune import last_words
from raynas.execution.ray_tune.final_training import FinalTraining
from raynas.execution.ray_tune.killed_workers import WorkerKilledError
from raynas.execution.ray_tune.timeouts import Timeouts
from raynas.execution.retries import remedy_for
from raynas.execution.trial_spec import TrialSpec
from raynas.execution.worker import UnexplainedFailureError
from raynas.trial import Failed, Remedy, Trial

_LOG = logging.getLogger("raynas")

_AGAIN: Final[Mapping[Remedy, str]] = {
    "gpu": "%s %d runs again with a GPU to itself: %s",
    "node": "%s %d runs again with a node to itself: %s",
    "other_node": "%s %d runs again on another node: %s",
    "worker": "%s %d runs again in a new worker: %s",
}
_NODE_DIED: Final = "node has died"  # in what Ray says of an actor
# The facts of a failure.
_FACTS: Final = ("detail", "cause", "out_of_memory", "seconds", "worker", "refused")


class Bridge:
    """Connects Tune with a search.

    It keeps the first error of a hook, because an exception inside Tune's loop would damage the
    run.
    """

    def __init__(
        self,
        conductor: Conductor,
        assign: Callable[[Trial], TrialSpec],
        final: FinalTraining,
        shares: Shares,
        room: FreeResources,
        timeouts: Timeouts,
    ) -> None:
        """Create it.

        Args:
            conductor: Controls the search.
            assign: Returns the description of a trial for its worker.
            final: What is done once no trial runs and none will start.
            shares: Decides the resources of a trial.
            room: The free resources.
            timeouts: Ends workers that do not answer.
        """
        self.conductor = conductor
        self.assign = assign
        self.final = final
        self.shares = shares
        self.room = room
        self.timeouts = timeouts
        self.error: BaseException | None = None
        self.controller: Any = None
        self._ends: dict[str, tuple[Failed, Remedy | None]] = {}  # by Tune's trial id

    def guarded(self, hook: Callable[[], Any], otherwise: Any) -> Any:
        """Return the result of ``hook``; if it raises, keep the error and return ``otherwise``."""
        if self.error is not None:
            return otherwise
        try:
            return hook()
        except Exception as error:  # noqa: BLE001 - raised again when Tune has wound down
            self.error = error
            return otherwise

    def abandon(self, error: BaseException) -> None:
        """Stop at once and free the workers: Tune does so after errors, not after Ctrl-C.

        In a notebook, where Ray outlives the search, the next one would find no CPU free.
        """
        self.error = error
        if self.controller is not None:
            self.controller.cleanup()

    def note_error(self, trial: Any) -> None:
        """Store the error that ended a trial of Tune; a ``StorageError`` ends the run."""
        error = _error_of(trial)
        cause = getattr(error, "cause", error)  # Ray wraps what a worker has raised
        if isinstance(cause, StorageError):
            self.error = self.error or cause
        left = last_words.taken(trial.trial_id)
        self._ends[trial.trial_id] = _end(error, cause) if left is None else self._judged(left)

    def note_failure(self, trial_id: str, failed: Failed) -> None:
        """Store the failure that ended a trial of Tune without an error."""
        self._ends[trial_id] = failed, None

    def _judged(self, failed: Failed) -> tuple[Failed, Remedy | None]:
        share = self.room.trials.get(failed.number)
        return failed, remedy_for(failed, shared=share is not None and share.shared)

    def failed(self, trial_id: str) -> bool:
        """Return whether a failure is stored that is not asked for yet."""
        return trial_id in self._ends

    def end_of(self, trial_id: str, number: int) -> tuple[Failed, Remedy | None]:
        """Return the failure of a trial, and the remedy if it ended by an error."""
        failed, remedy = self._ends.pop(trial_id, (_lost("no reason given"), "worker"))
        return replace(failed, number=number), remedy

    def ended(self, trial_id: str, number: int) -> None:
        """Record the end of a trial that raised an error, or that took too long."""
        failed, remedy = self.end_of(trial_id, number)
        reason = self.timeouts.ended.get(trial_id)
        if reason is None:
            self.fail(failed, remedy)
        elif reason:
            self.conductor.fail(number, reason, seconds=self.timeouts.ended_after[trial_id])
        else:
            self.conductor.cut(number)

    def fail(self, failed: Failed, remedy: Remedy | None) -> None:
        """Let a trial that failed run again if it may; otherwise record that it failed."""
        conductor, number, reason = self.conductor, failed.number, failed.reason
        if remedy and conductor.retry(
            number, reason, remedy, seconds=failed.seconds, worker=failed.worker
        ):
            say_again(failed, remedy)
            return
        told = despite(failed, conductor.history.trials[number])
        conductor.fail(number, told.reason, **{name: getattr(told, name) for name in _FACTS})


def say_again(failed: Failed, remedy: Remedy, what: str = "trial") -> None:
    """Log that a trial, or its final training, runs again."""
    _LOG.info(_AGAIN[remedy], what, failed.number, failed.reason)


def despite(failed: Failed, trial: Trial) -> Failed:
    """Return a failure whose reason also says what the trial had to itself."""
    reason = failed.reason
    if failed.out_of_memory and trial.tries("gpu"):
        reason = f"{reason} (with a GPU to itself)"
    if failed.out_of_memory and trial.tries("node"):
        reason = f"{reason} (with a node to itself)"
    return replace(failed, reason=reason)


def _end(error: BaseException | None, cause: BaseException | None) -> tuple[Failed, Remedy]:
    if isinstance(cause, UnexplainedFailureError):
        return cause.failed, "worker"
    if isinstance(error, WorkerKilledError) and error.out_of_memory:
        return Failed(0, str(error), out_of_memory=True), "node"
    if isinstance(error, ActorUnavailableError) or _NODE_DIED in str(error):
        return Failed(0, "its node was lost", cause="circumstances"), "other_node"
    lines = str(error or "no reason given").strip().splitlines()
    return _lost(lines[0] if lines else type(error).__name__), "worker"


def _lost(reason: str) -> Failed:
    return Failed(0, f"its worker was lost: {reason}", cause="circumstances")


def _error_of(trial: Any) -> BaseException | None:
    """Return the error by which a trial of Tune's has ended.

    Tune's own ``get_pickled_error`` reads a copy, which is not there yet at the first error.
    """
    written = trial.pickled_error_file
    if not written or not Path(written).exists():
        return None
    error: BaseException = cloudpickle.loads(Path(written).read_bytes())
    return error
