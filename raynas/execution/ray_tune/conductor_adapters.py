"""The conductor as Tune's searcher and scheduler."""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from signal import Signals
from typing import Any, Final

from ray import cloudpickle
from ray.tune import Experiment, PlacementGroupFactory
from ray.tune.experiment import Trial as TuneTrial
from ray.tune.registry import get_trainable_cls
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import SearchAlgorithm

from raynas.errors import ConfigError, ResourceError, StorageError
from raynas.execution.conductor import Conductor
from raynas.execution.packing import Admission, Resources, Room, Shares
from raynas.execution.ray_tune.final_training import FinalTraining
from raynas.execution.ray_tune.timeout import TrialTimeout
from raynas.execution.ray_tune.trainable import FINAL, as_config, as_event, as_final_config
from raynas.execution.winner import Tested
from raynas.execution.worker import TrialSpec
from raynas.schedulers import Verdict
from raynas.trial import Failed, History, Trial

_LOG = logging.getLogger("raynas")

_FACTS: Final = (
    "detail",
    "out_of_memory",
    "seconds",
    "worker",
)  # of a failure


class Bridge:
    """Keeps the first error of a hook: an exception inside Tune's loop would damage the run."""

    def __init__(
        self,
        conductor: Conductor,
        assign: Callable[[Trial], TrialSpec],
        final: FinalTraining,
        shares: Shares,
        room: Room,
        trial_timeout: float = math.inf,
    ) -> None:
        """Lead ``conductor``'s trials.

        Args:
            conductor: Leads the search.
            assign: Says what a worker is told of a trial.
            final: What is done once no trial runs and none will start.
            shares: Says what a trial gets.
            room: Where.
            trial_timeout: Seconds after which a trial that runs has failed.
        """
        self.conductor = conductor
        self.assign = assign
        self.final = final
        self.shares = shares
        self.room = room
        self.timeout = TrialTimeout(trial_timeout)
        self.error: BaseException | None = None
        self.controller: Any = None
        self.losses: dict[str, str] = {}  # how a trial's worker was last lost, by Tune's trial id

    def guarded(self, hook: Callable[[], Any], otherwise: Any) -> Any:
        """Return what ``hook`` returns; on an error keep it and return ``otherwise``."""
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


class ConductorSearchAlgorithm(SearchAlgorithm):  # type: ignore[misc]  # Ray ships no types
    """Hands the conductor's next trial to Tune.

    It makes Tune's trials itself: Tune takes milliseconds to make one of what a ``Searcher``
    suggests, and meanwhile all workers that are free wait.
    """

    def __init__(self, bridge: Bridge) -> None:
        """Serve ``bridge``."""
        self._bridge = bridge
        self._admission = Admission(bridge.room, bridge.shares.default)
        self._live: dict[str, int] = {}
        self._final: TrialSpec | None = None
        self._spec: Mapping[str, Any] = {}
        self._kind: type[TuneTrial] = TuneTrial

    @property
    def total_samples(self) -> int:
        """How many trials there will be: nobody knows."""
        return sys.maxsize

    def add_configurations(self, experiments: Sequence[Experiment]) -> None:
        """Take note of what all trials share."""
        (experiment,) = experiments
        self._spec, self._kind = experiment.spec, _trials_of(experiment.spec["run"])

    def next_trial(self) -> TuneTrial | None:
        """Return the trial to start now; none for not now, or if it is over."""
        if self.is_finished():
            return None
        trial = self._bridge.guarded(self._admitted, None)
        if trial is None:
            return self._last()
        share = self._bridge.room.trials[trial.number]
        told = self._as_told(trial, share, as_config(self._bridge.assign(trial), share))
        self._live[told.trial_id] = trial.number
        return told

    def _last(self) -> TuneTrial | None:
        """Return the winner's training, once, when no trial runs and none will start."""
        if self._bridge.error is not None or self._bridge.conductor.interruption.signal:
            self.set_finished()
            return None
        if self._may_go_on or self._bridge.room.trials:
            return None
        self.set_finished()
        self._final = self._bridge.guarded(self._bridge.final.choose, None)
        if self._final is None:
            return None
        trial = self._bridge.conductor.history.trials[self._final.number]
        share = self._bridge.shares.of(trial, History())  # alone, where memory is predicted
        return self._as_told(trial, share, as_final_config(self._final, share))

    def _as_told(self, trial: Trial, share: Resources, config: dict[str, Any]) -> TuneTrial:
        spec = self._spec
        return self._kind(
            spec["run"],
            config=config,
            experiment_tag=str(trial.number),
            placement_group_factory=_place(share.cpus, share.gpus),
            stub=True,
            storage=spec["storage"],
            max_failures=spec["max_failures"],
            checkpoint_config=spec["checkpoint_config"],
            trial_dirname_creator=spec["trial_dirname_creator"],
        )

    def _admitted(self) -> Trial | None:
        """Return the trial to start now; none once a limit is reached, not even one that waits."""
        if self._bridge.conductor.limit:
            return None
        return self._admission.next(self._ask)

    @property
    def _may_go_on(self) -> bool:
        """Whether a trial may start later: what runs may have to be run again, alone."""
        running = self._bridge.room.trials.values()
        if not running:
            return False  # nothing could change that
        again = any(share.shared for share in running)
        return again or self._admission.waiting or not self._bridge.conductor.finished

    def _ask(self) -> tuple[Trial, Resources] | None:
        """Return the conductor's next trial with its share; those that can have none fail."""
        conductor = self._bridge.conductor
        while trial := conductor.next():
            try:
                return trial, self._bridge.shares.of(trial, conductor.history)
            except (ConfigError, ResourceError) as error:
                conductor.fail(trial.number, str(error))
        return None

    def on_trial_result(self, trial_id: str, result: Mapping[str, Any]) -> None:
        """Ignore: the scheduler has told the conductor."""

    def on_trial_complete(
        self,
        trial_id: str,
        result: Mapping[str, Any] | None = None,  # noqa: ARG002 - Tune's signature
        error: bool = False,  # noqa: FBT001, FBT002 - Tune's signature
    ) -> None:
        """Free the trial's share; note if its worker was lost more often than it is replaced."""
        number = self._live.pop(trial_id, None)
        reason = f"its worker was lost: {self._bridge.losses.get(trial_id, 'no reason given')}"
        if number is None:
            if error and self._final is not None:
                lost = Failed(self._final.number, reason)
                self._bridge.guarded(lambda: self._bridge.final.take(lost), None)
            return
        self._bridge.room.free(number)
        if error and trial_id in self._bridge.timeout.ended:
            fail = self._bridge.conductor.fail
            reason, seconds = self._bridge.timeout.reason, self._bridge.timeout.seconds
            self._bridge.guarded(lambda: fail(number, reason, seconds=seconds), None)
        elif error:
            fail = self._bridge.conductor.fail
            self._bridge.guarded(lambda: fail(number, reason, lost=True), None)

    def __reduce__(self) -> tuple[Any, ...]:
        """Leave the run behind when Tune pickles its own state, which is never read."""
        return SearchAlgorithm, ()


def _trials_of(name: str) -> type[TuneTrial]:
    """Return the class of the trials of a registered trainable, which is looked up once.

    Tune's own trials ask the cluster's key-value store three times each. They are to be made as
    ``stub``, for that is what keeps Tune from looking the trainable up to see that it is there.
    """
    trainable: type[Any] = get_trainable_cls(name)

    class Known(TuneTrial):  # type: ignore[misc]
        def get_trainable_cls(self) -> type[Any]:
            return trainable

    return Known


@cache  # Tune keeps that of every trial ever run
def _place(cpus: float, gpus: float) -> PlacementGroupFactory:
    return PlacementGroupFactory([{"CPU": cpus, "GPU": gpus}])


class ConductorScheduler(FIFOScheduler):  # type: ignore[misc]  # Ray ships no types
    """Tells the conductor what trials say, and Tune what the conductor decides."""

    def __init__(self, bridge: Bridge) -> None:
        """Serve ``bridge``."""
        super().__init__()
        self._bridge = bridge
        self._told_of_signal = False

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        """Note who runs the trials."""
        super().on_trial_add(tune_controller, trial)
        self._bridge.controller = tune_controller

    def choose_trial_to_run(self, tune_controller: Any) -> Any:
        """Choose as Tune does; Tune asks in every round, so this is where time is looked at."""
        interruption = self._bridge.conductor.interruption
        interruption.listen()
        if interruption.signal and not self._told_of_signal:
            self._told_of_signal = True
            _LOG.info(
                "%s: trials end after the epoch that they are in; a second signal ends the run "
                "at once",
                Signals(interruption.signal).name,
            )
        self._bridge.timeout.enforce(tune_controller.get_live_trials())
        return super().choose_trial_to_run(tune_controller)

    def on_trial_result(
        self,
        tune_controller: Any,  # noqa: ARG002 - Tune's signature
        trial: Any,  # noqa: ARG002 - Tune's signature
        result: Mapping[str, Any],
    ) -> str:
        """Pass a report on; stop the trial when it is over."""
        verdict = self._bridge.guarded(lambda: self._told(result), Verdict.STOP)
        stop, go = TrialScheduler.STOP, TrialScheduler.CONTINUE
        return str(stop if verdict is Verdict.STOP else go)

    def on_trial_complete(
        self,
        tune_controller: Any,  # noqa: ARG002 - Tune's signature
        trial: Any,
        result: Mapping[str, Any],  # noqa: ARG002 - Tune's signature
    ) -> None:
        """Let go of Tune's statistics: of every number of every trial ever run it keeps ten.

        The journal holds what was reported.
        """
        trial.run_metadata.metric_analysis.clear()
        trial.run_metadata.metric_n_steps.clear()
        trial.run_metadata.last_result = {}

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """Note how a trial's worker was lost, be it replaced or not."""
        super().on_trial_error(tune_controller, trial)
        error = _error_of(trial)
        cause = getattr(error, "cause", error)  # Ray wraps what a worker has raised
        if isinstance(cause, StorageError):
            trial.max_failures = 0
            self._bridge.error = self._bridge.error or cause
        self._bridge.losses[trial.trial_id] = _first_line(error)

    def _told(self, result: Mapping[str, Any]) -> Verdict:
        if FINAL in result:
            self._bridge.final.take(result[FINAL])
            return Verdict.GO if isinstance(result[FINAL], Tested) else Verdict.STOP
        event = as_event(result)
        if isinstance(event, Failed):
            self._failed(event)
            return Verdict.STOP
        return self._bridge.conductor.report(event)

    def _failed(self, event: Failed) -> None:
        """Note a failure; memory that others had a part in running out is no verdict yet."""
        conductor, number, reason = self._bridge.conductor, event.number, event.reason
        if event.out_of_memory and self._bridge.room.trials[number].shared:
            _LOG.info("trial %d runs again with a GPU to itself: %s", number, reason)
            conductor.retry(number, reason, seconds=event.seconds, worker=event.worker)
            return
        if conductor.history.trials[number].alone and event.out_of_memory:
            reason = f"{reason} (with a GPU to itself)"
        facts = {name: getattr(event, name) for name in _FACTS}
        conductor.fail(number, reason, **facts)

    def __reduce__(self) -> tuple[Any, ...]:
        """Leave the run behind when Tune pickles its own state, which is never read."""
        return FIFOScheduler, ()


def _error_of(trial: Any) -> BaseException | None:
    """Return what a trial's worker was lost by.

    Tune's own ``get_pickled_error`` reads a copy, which is not there yet at the first loss.
    """
    written = trial.pickled_error_file
    if not written or not Path(written).exists():
        return None
    error: BaseException = cloudpickle.loads(Path(written).read_bytes())
    return error


def _first_line(error: BaseException | None) -> str:
    lines = str(error or "no reason given").strip().splitlines()
    return lines[0] if lines else type(error).__name__
