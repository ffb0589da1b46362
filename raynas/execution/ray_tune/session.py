"""Ray for the time of a run: what every worker needs is put into the cluster once."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from ray import tune

from raynas.data import Data
from raynas.errors import Interrupted
from raynas.execution.conductor import Conductor
from raynas.execution.packing import Room, Shares
from raynas.execution.ray_tune import tune_environment
from raynas.execution.ray_tune.bridge import Bridge
from raynas.execution.ray_tune.cluster import Share, Slots
from raynas.execution.ray_tune.conductor_scheduler import ConductorScheduler
from raynas.execution.ray_tune.conductor_search import ConductorSearchAlgorithm
from raynas.execution.ray_tune.final_training import FinalTraining
from raynas.execution.ray_tune.killed_workers import killed_workers_told
from raynas.execution.ray_tune.proxy_workers import ProxyWorkers
from raynas.execution.ray_tune.timeouts import Timeouts
from raynas.execution.ray_tune.trainable import ChildTrainable, PackedContext
from raynas.execution.worker import TrialSpec
from raynas.searchers.screened import Assess
from raynas.trial import Trial


@dataclass(frozen=True, slots=True)
class RaySession:
    """A connection to Ray, and what was brought there.

    Attributes:
        slots: What there is.
        shares: What a trial gets of it.
        packed: What every worker needs besides the data.
        data: The task's data.
        asked: What was asked for.
    """

    slots: Slots
    shares: Shares
    packed: PackedContext
    data: Data
    asked: Share

    def run_trials(
        self, conductor: Conductor, assign: Callable[[Trial], TrialSpec], final: FinalTraining
    ) -> None:
        """Train what the conductor asks for until it has had enough, then the winner.

        Args:
            conductor: Leads the search.
            assign: Says what a worker is told of a trial.
            final: The winner's training.

        Raises:
            RaynasError: The searcher failed, or reports do not hold the objective. What was
                trained before is in the journal.
            Interrupted: A signal has ended it, likewise.
            KeyboardInterrupt: Likewise.
        """
        room = Room(self.slots.nodes, self.asked.concurrent)
        timeouts = Timeouts(self.asked.trial_timeout, self.asked.grace)
        bridge = Bridge(conductor, assign, final, self.shares, room, timeouts)
        if not conductor.finished:
            conductor.open(self.slots.count, self.slots.usual.gpus)
        with (
            conductor.interruption.graceful(self.asked.grace),
            self._quiet(),
            tune_environment(),
            killed_workers_told(),
            tempfile.TemporaryDirectory(prefix="raynas-") as scratch,
        ):
            try:
                self._tuner(bridge, scratch).fit()
            except (KeyboardInterrupt, Interrupted, SystemExit) as error:
                if self.slots.lasting:
                    bridge.abandon(error)
                raise
            if bridge.error is not None:
                raise bridge.error

    def assessor(self, names: Sequence[str], seed: int) -> Assess:
        """Return what asks proxies on the cluster: actors beside the trials that run.

        One for every network that is asked about at once, if there are as many cores, for the
        trial they decide on waits for them.

        Args:
            names: Which proxies.
            seed: The run's seed.
        """
        cores = int(sum(node.cpus for node in self.slots.nodes))
        return ProxyWorkers(max(cores, 1), self.packed, self.data, names, seed).assess

    def _tuner(self, bridge: Bridge, scratch: str) -> tune.Tuner:
        return tune.Tuner(
            tune.with_parameters(ChildTrainable, packed=self.packed, data=self.data),
            tune_config=tune.TuneConfig(
                search_alg=ConductorSearchAlgorithm(bridge),
                scheduler=ConductorScheduler(bridge),
                num_samples=-1,
                reuse_actors=True,
                trial_dirname_creator=lambda trial: trial.trial_id,
            ),
            run_config=tune.RunConfig(
                name="trials",
                storage_path=scratch,
                verbose=1 if self.asked.verbose else 0,
                # Which trials run again, and on what, is the conductor's decision.
                failure_config=tune.FailureConfig(max_failures=0),
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            ),
        )

    @contextmanager
    def _quiet(self) -> Iterator[None]:
        if self.asked.verbose:
            yield
            return
        logger = logging.getLogger("ray.tune")
        level = logger.level
        logger.setLevel(logging.CRITICAL)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        finally:
            logger.setLevel(level)
