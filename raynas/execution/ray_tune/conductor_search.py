"""A Tune search algorithm that returns the conductor's trials."""

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
from raynas.execution.admission import Admission
from raynas.execution.packing import Resources
from raynas.execution.ray_tune.bridge import Bridge, despite, say_again
from raynas.execution.ray_tune.growth import Growth
from raynas.execution.ray_tune.trainable import as_config, as_final_config
from raynas.execution.retries import may_retry, remedy_for
from raynas.execution.trial_spec import TrialSpec
from raynas.trial import Remedy, Retried, Trial


class ConductorSearchAlgorithm(SearchAlgorithm):  # type: ignore[misc]  # Ray ships no types
    """Gives the conductor's trials to Tune.

    It creates Tune's trial objects itself, because Tune takes milliseconds to create one from the
    suggestion of a ``Searcher``, and free workers would wait for that.
    """

    def __init__(self, bridge: Bridge, growth: Growth | None = None) -> None:
        """Create it.

        Args:
            bridge: Connects it with the search.
            growth: Follows the nodes of the cluster; none if they stay the same.
        """
        self._bridge = bridge
        self._growth = growth
        self._admission = Admission(bridge.room, bridge.shares.default)
        self._live: dict[str, int] = {}
        self._final: _Final | None = None
        self._spec: Mapping[str, Any] = {}
        self._kind: type[TuneTrial] = TuneTrial

    @property
    def total_samples(self) -> int:
        """The number of trials, which Tune asks for; it is not known in advance."""
        return sys.maxsize

    def add_configurations(self, experiments: Sequence[Experiment]) -> None:
        """Store the settings that all trials have in common."""
        (experiment,) = experiments
        self._spec, self._kind = experiment.spec, _trials_of(experiment.spec["run"])

    def next_trial(self) -> TuneTrial | None:
        """Return the trial to start now; none if no trial can start now or the search is over."""
        if self.is_finished():
            return None
        if (growth := self._growth) is not None:
            self._bridge.guarded(lambda: growth.follow(self._admission), None)
        return self._bridge.guarded(self._admitted, None) or self._last()

    def _admitted(self) -> TuneTrial | None:
        """Return the trial of the search to start now; none if a limit is reached or none fits."""
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
        """Return the training of the winner, if no trial runs and none will start.

        It waits for running trials, because each of them may fail and be retried.
        """
        bridge = self._bridge
        if bridge.error is not None or bridge.conductor.interruption.signal:
            self._end()
            return None
        if bridge.room.trials or self._waits_for_nodes():
            return None
        self._end()
        if self._final is None and (spec := bridge.guarded(bridge.final.choose, None)):
            bridge.timeouts.search_over()
            self._final = _Final.of(spec, bridge.conductor.history.trials[spec.number])
        if self._final is None:
            return None
        # With the share of its trial, a worker that is there already can train it.
        share = bridge.shares.of(self._final.trial, bridge.conductor.history)
        return self._as_told(self._final.trial, share, as_final_config(self._final.spec, share))

    def _end(self) -> None:
        self.set_finished()
        if self._growth is not None:
            self._growth.end()

    def _waits_for_nodes(self) -> bool:
        """Return whether trials are left, and all nodes that have room for one have left."""
        conductor = self._bridge.conductor
        return self._growth is not None and self._admission.starved and not conductor.finished

    def _as_told(self, trial: Trial, share: Resources, config: dict[str, Any]) -> TuneTrial:
        spec = self._spec
        # Several processes that have trained together end with their trial.
        alone = bool(trial.retries) or share.workers > 1
        return self._kind(
            spec["run"],
            config=config,
            experiment_tag=str(trial.number),
            placement_group_factory=_new_worker(share) if alone else _place(share),
            stub=True,
            storage=spec["storage"],
            max_failures=spec["max_failures"],
            checkpoint_config=spec["checkpoint_config"],
            trial_dirname_creator=spec["trial_dirname_creator"],
        )

    def _ask(self) -> tuple[Trial, Resources] | None:
        """Return the conductor's next trial and its resources; fail trials that fit nowhere."""
        conductor = self._bridge.conductor
        while trial := conductor.next():
            try:
                return trial, self._bridge.shares.of(trial, conductor.history)
            except (ConfigError, ResourceError) as error:
                conductor.fail(trial.number, str(error))
        return None

    def on_trial_result(self, trial_id: str, result: Mapping[str, Any]) -> None:
        """Do nothing; the scheduler passes results to the conductor."""

    def on_trial_complete(
        self,
        trial_id: str,
        result: Mapping[str, Any] | None = None,  # noqa: ARG002 - Tune's signature
        error: bool = False,  # noqa: FBT001, FBT002 - Tune's signature
    ) -> None:
        """Release the trial's resources; after an error, fail the trial or retry it."""
        bridge, number = self._bridge, self._live.pop(trial_id, None)
        if number is not None:
            bridge.room.free(number)
            if error:
                bridge.guarded(lambda: bridge.ended(trial_id, number), None)
        elif self._final is not None and (error or bridge.failed(trial_id)):
            final = self._final
            bridge.guarded(lambda: self._retry_final(final, trial_id), None)

    def _retry_final(self, final: _Final, trial_id: str) -> None:
        """Let the winner's training run again after a failure; otherwise record the failure."""
        bridge = self._bridge
        failed, remedy = bridge.end_of(trial_id, final.spec.number)
        if reason := bridge.timeouts.ended.get(trial_id):  # a retry would take as long again
            failed, remedy = replace(failed, reason=reason), None
        elif remedy is None:
            share = bridge.shares.of(final.trial, bridge.conductor.history)
            remedy = remedy_for(failed, shared=share.shared)
        if remedy and may_retry(final.trial, remedy):
            say_again(failed, remedy, "the final training of trial")
            bridge.timeouts.search_over()
            self._final = final.retried(failed.reason, remedy)
            self._finished = False  # Tune asks for the winner's training once more
        else:
            bridge.final.take(despite(failed, final.trial))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle nothing of the run; Tune pickles its searchers, but raynas never loads them."""
        return SearchAlgorithm, ()


def _trials_of(name: str) -> type[TuneTrial]:
    """Return a trial class for a registered trainable; it looks the trainable up only once.

    Tune's own trial class reads the cluster's key-value store three times for each trial. Create
    the trials with ``stub=True``; otherwise Tune looks the trainable up to check that it exists.
    """
    trainable: type[Any] = get_trainable_cls(name)

    class Known(TuneTrial):  # type: ignore[misc]
        def get_trainable_cls(self) -> type[Any]:
            return trainable

    return Known


@cache  # saves memory: Tune keeps the factories of all trials
def _place(share: Resources) -> PlacementGroupFactory:
    return PlacementGroupFactory(_bundles(share))


def _new_worker(share: Resources) -> PlacementGroupFactory:
    """Return a placement that is equal to no other, so that Tune starts a new worker for it."""
    name = f"raynas-{uuid4().hex}"
    return PlacementGroupFactory(_bundles(share), name=name)


def _bundles(share: Resources) -> list[dict[str, float]]:
    """Return what each process of a trial needs; the first is the trial's own worker."""
    return [{"CPU": share.cpus, "GPU": share.gpus} for _ in range(share.workers)]


@dataclass(frozen=True, slots=True)
class _Final:
    """The training of the winner.

    Attributes:
        spec: The specification for its worker.
        trial: The trial that won; its ``retries`` are those of this training.
    """

    spec: TrialSpec
    trial: Trial

    @classmethod
    def of(cls, spec: TrialSpec, trial: Trial) -> _Final:
        """Begin; workers that the trial lost do not count as tries of the winner's training."""
        needs = tuple(retry for retry in trial.retries if retry.remedy in {"gpu", "node"})
        return cls(spec, replace(trial, retries=needs))

    def retried(self, reason: str, remedy: Remedy) -> _Final:
        """Return the training with one more retry."""
        again = Retried(self.trial.number, reason, remedy, epoch=self.trial.epoch)
        return replace(self, trial=replace(self.trial, retries=(*self.trial.retries, again)))
