"""A connection to Ray for one run: it sends to the cluster, once, what all workers need."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import ray
from ray import tune

from raynas.errors import Interrupted
from raynas.execution.conductor import Conductor
from raynas.execution.memory_limit import MemoryLimit
from raynas.execution.packing import FreeResources, Resources, Shares
from raynas.execution.ray_tune import devices, tune_environment
from raynas.execution.ray_tune.bridge import Bridge
from raynas.execution.ray_tune.cluster import Share, Slots
from raynas.execution.ray_tune.conductor_scheduler import ConductorScheduler
from raynas.execution.ray_tune.conductor_search import ConductorSearchAlgorithm
from raynas.execution.ray_tune.final_training import FinalTraining
from raynas.execution.ray_tune.growth import Growth
from raynas.execution.ray_tune.killed_workers import killed_workers_told
from raynas.execution.ray_tune.peer_processes import DataParallelTrainable
from raynas.execution.ray_tune.proxy_workers import ProxyWorkers
from raynas.execution.ray_tune.timeouts import Timeouts
from raynas.execution.ray_tune.trainable import ChildTrainable, PackedContext
from raynas.execution.trial_spec import TrialSpec
from raynas.searchers.screened import Assess
from raynas.space import Space
from raynas.trial import Trial

if TYPE_CHECKING:
    from raynas.execution.ray_tune.scoring_pool import ScoringPool
    from raynas.oneshot.loop import SupernetLoop


@dataclass(frozen=True, slots=True)
class RaySession:
    """A connection to Ray, and the values that workers need.

    Attributes:
        slots: The resources of the cluster.
        shares: Decides the resources of each trial.
        packed: The function that builds networks, the training recipe and the data, packed.
        asked: The resources that the user asked for.
    """

    slots: Slots
    shares: Shares
    packed: PackedContext
    asked: Share

    def run_trials(
        self, conductor: Conductor, assign: Callable[[Trial], TrialSpec], final: FinalTraining
    ) -> None:
        """Run the trials of the conductor until the search ends, then train the winner.

        The journal keeps everything that happened before an error.

        Args:
            conductor: Decides which trials run.
            assign: Returns the specification of a trial for its worker.
            final: The training of the winner.

        Raises:
            RaynasError: The searcher failed, or reports do not contain the objective.
            Interrupted: A signal ended the run.
            KeyboardInterrupt: The user pressed Ctrl-C.
        """
        room = FreeResources(self.slots.nodes, self.asked.concurrent)
        timeouts = Timeouts(self.asked.trial_timeout, self.asked.grace)
        bridge = Bridge(conductor, assign, final, self.shares, room, timeouts)
        growth = None
        if not conductor.finished:
            conductor.open(self.slots.count, self.slots.gpus_held)
            growth = Growth(bridge, self.slots, self.asked) if self.slots.shared else None
        with (
            conductor.interruption.graceful(self.asked.grace),
            self._quiet(),
            tune_environment(),
            killed_workers_told(),
            tempfile.TemporaryDirectory(prefix="raynas-") as scratch,
        ):
            try:
                self._tuner(bridge, growth, scratch).fit()
            except (KeyboardInterrupt, Interrupted, SystemExit) as error:
                if self.slots.lasting:
                    bridge.abandon(error)
                raise
            if bridge.error is not None:
                raise bridge.error

    def memory_limit(self) -> MemoryLimit | None:
        """Return the memory of the places for trials on a cluster.

        Returns:
            None on this machine alone, whose memory is known without Ray; or if no node answers.
        """
        return devices.memory_limit(self.slots) if self.slots.shared else None

    def assessor(self, names: Sequence[str], seed: int) -> Assess:
        """Return a function that scores networks by proxies, in actors on the cluster.

        The actors run in parallel with the trials. There is one actor for each network that is
        scored at the same time, up to the number of cores, because the next trial waits for all
        scores.

        Args:
            names: The names of the proxies.
            seed: The run's seed.
        """
        cores = int(sum(node.cpus for node in self.slots.nodes.values()))
        return ProxyWorkers(max(cores, 1), self.packed, names, seed).assess

    def scoring_pool(self, space: Space, loop: SupernetLoop, spec: TrialSpec) -> ScoringPool:
        """Start workers that score architectures by a supernet, where trials would run.

        Args:
            space: The space of the architectures.
            loop: How the supernet was trained.
            spec: Its trial.
        """
        from raynas.execution.ray_tune.scoring_pool import ScoringPool  # noqa: PLC0415 - torch

        supernet = (self.packed, loop, spec)
        count = max(self.slots.count, 1) * self.slots.usual.workers
        return ScoringPool(space, supernet, count, replace(self.slots.usual, workers=1))

    def scoring_beside(
        self, space: Space, supernet: tuple[PackedContext, SupernetLoop, TrialSpec]
    ) -> ScoringPool:
        """Start workers that score architectures by a supernet beside trials.

        They reserve nothing, because otherwise they would wait until running trials end.

        Args:
            space: The space of the architectures.
            supernet: What the supernets' trials share, how they were trained, and its trial.
        """
        from raynas.execution.ray_tune.scoring_pool import ScoringPool  # noqa: PLC0415 - torch

        cores = int(sum(node.cpus for node in self.slots.nodes.values()))
        return ScoringPool(space, supernet, max(cores, 1), Resources(0.0, 0.0))

    def _tuner(self, bridge: Bridge, growth: Growth | None, scratch: str) -> tune.Tuner:
        kind = ChildTrainable if self.slots.usual.workers == 1 else DataParallelTrainable
        return tune.Tuner(
            tune.with_parameters(kind, shared=[ray.put(self.packed)]),
            tune_config=tune.TuneConfig(
                search_alg=ConductorSearchAlgorithm(bridge, growth),
                scheduler=ConductorScheduler(bridge),
                num_samples=-1,
                reuse_actors=True,
                trial_dirname_creator=lambda trial: trial.trial_id,
            ),
            run_config=tune.RunConfig(
                name="trials",
                storage_path=scratch,
                verbose=1 if self.asked.verbose else 0,
                # In a notebook, Ray's own reporter clears the cell, even if it shows nothing.
                progress_reporter=None if self.asked.verbose else tune.CLIReporter(),
                # The conductor decides which trials run again, and with which resources.
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
