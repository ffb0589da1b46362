"""The conductor as Tune's search algorithm."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any
from uuid import uuid4

from ray.tune import Experiment, PlacementGroupFactory
from ray.tune.experiment import Trial as TuneTrial
from ray.tune.registry import get_trainable_cls
from ray.tune.search import SearchAlgorithm

from raynas.errors import ConfigError, ResourceError
from raynas.execution.packing import Admission, Resources
from raynas.execution.ray_tune.bridge import Bridge
from raynas.execution.ray_tune.trainable import as_config, as_final_config
from raynas.execution.retries import may_retry
from raynas.execution.worker import TrialSpec
from raynas.trial import History, Remedy, Retried, Trial


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
        self._final: _Final | None = None
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
        return self._bridge.guarded(self._admitted, None) or self._last()

    def _admitted(self) -> TuneTrial | None:
        """Return the trial to start now; none once a limit is reached, not even one that waits."""
        bridge = self._bridge
        if bridge.conductor.limit:
            return None
        trial = self._admission.next(self._ask)
        if trial is None:
            return None
        share = bridge.room.trials[trial.number]
        told = self._as_told(trial, share, as_config(bridge.assign(trial), share))
        self._live[told.trial_id] = trial.number
        return told

    def _last(self) -> TuneTrial | None:
        """Return the winner's training, when no trial runs and none will start.

        Any trial that runs may have to be run again.
        """
        bridge = self._bridge
        if bridge.error is not None or bridge.conductor.interruption.signal:
            self.set_finished()
            return None
        if bridge.room.trials:
            return None
        self.set_finished()
        if self._final is None and (spec := bridge.guarded(bridge.final.choose, None)):
            bridge.timeouts.search_over()
            self._final = _Final(spec, bridge.conductor.history.trials[spec.number])
        if self._final is None:
            return None
        share = bridge.shares.of(self._final.trial, History())  # alone, where memory is predicted
        return self._as_told(self._final.trial, share, as_final_config(self._final.spec, share))

    def _as_told(self, trial: Trial, share: Resources, config: dict[str, Any]) -> TuneTrial:
        spec = self._spec
        return self._kind(
            spec["run"],
            config=config,
            experiment_tag=str(trial.number),
            placement_group_factory=_place(share) if not trial.retries else _new_worker(share),
            stub=True,
            storage=spec["storage"],
            max_failures=spec["max_failures"],
            checkpoint_config=spec["checkpoint_config"],
            trial_dirname_creator=spec["trial_dirname_creator"],
        )

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
        """Free the trial's share; an error fails the trial, or lets it run again."""
        bridge, number = self._bridge, self._live.pop(trial_id, None)
        if number is not None:
            bridge.room.free(number)
            if error:
                bridge.guarded(lambda: bridge.ended(trial_id, number), None)
        elif error and self._final is not None:
            failed, remedy = bridge.end_of(trial_id, self._final.spec.number)
            if reason := bridge.timeouts.ended.get(trial_id):  # it would take as long again
                failed, remedy = replace(failed, reason=reason), None
            if remedy and may_retry(self._final.trial, remedy):
                self._final = self._final.retried(failed.reason, remedy)
                self._finished = False  # Tune asks for the winner's training once more
            else:
                bridge.guarded(lambda: bridge.final.take(failed), None)

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
def _place(share: Resources) -> PlacementGroupFactory:
    return PlacementGroupFactory([{"CPU": share.cpus, "GPU": share.gpus}])


def _new_worker(share: Resources) -> PlacementGroupFactory:
    """Return a place where no worker is yet: Tune reuses one only if the places are equal."""
    name = f"raynas-{uuid4().hex}"
    return PlacementGroupFactory([{"CPU": share.cpus, "GPU": share.gpus}], name=name)


@dataclass(frozen=True, slots=True)
class _Final:
    """The winner's training.

    Attributes:
        spec: What its worker is told.
        trial: The trial that won, with how its winner's training was tried before.
    """

    spec: TrialSpec
    trial: Trial

    def retried(self, reason: str, remedy: Remedy) -> _Final:
        """Return it for another time."""
        again = Retried(self.trial.number, reason, remedy)
        return replace(self, trial=replace(self.trial, retries=(*self.trial.retries, again)))
