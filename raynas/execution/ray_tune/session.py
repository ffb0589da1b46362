"""Ray for the time of a run: what every worker needs is put into the cluster once."""

from __future__ import annotations

import logging
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any, TypeVar

import ray
from ray import tune

from raynas.data import Data
from raynas.execution.conductor import Conductor
from raynas.execution.ray_tune.adapters import Bridge, TuneScheduler, TuneSearcher
from raynas.execution.ray_tune.cluster import Share, Slots, connected
from raynas.execution.ray_tune.trainable import ChildTrainable, Packed
from raynas.execution.worker import Assignment, Workshop
from raynas.training.recipe import Recipe
from raynas.trial import Trial

_RESTARTS = 2  # times a trial whose worker was lost is begun again, from its last checkpoint
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Session:
    """A connection to Ray, and what was brought there.

    Attributes:
        slots: What a trial gets, and how many run at once.
        packed: What every worker needs besides the data.
        data: The task's data.
        verbose: Whether Tune may speak.
    """

    slots: Slots
    packed: Packed
    data: Data
    verbose: bool

    def run_trials(self, conductor: Conductor, assign: Callable[[Trial], Assignment]) -> None:
        """Train what the conductor asks for until it has had enough.

        Args:
            conductor: Leads the search.
            assign: Says what a worker is told of a trial.

        Raises:
            RaynasError: The searcher failed, or reports do not hold the objective. What was
                trained before is in the journal.
            KeyboardInterrupt: Likewise.
        """
        bridge = Bridge(conductor, assign)
        if bridge.over:
            return
        conductor.open(self.slots.count, self.slots.gpus)
        with self._quiet(), tempfile.TemporaryDirectory(prefix="raynas-") as scratch:
            try:
                self._tuner(bridge, scratch).fit()
            except (KeyboardInterrupt, SystemExit) as error:
                if self.slots.lasting:
                    bridge.abandon(error)
                raise
        if bridge.error is not None:
            raise bridge.error

    def run_once(self, work: Callable[[Workshop], T]) -> T:
        """Do ``work`` on a worker that gets what a trial gets, and return its result.

        Whatever ``work`` raises is raised here.
        """
        packed = self.packed

        def unpack(data: Data) -> T:
            return work(packed.unpacked(data))

        task = ray.remote(num_cpus=self.slots.cpus, num_gpus=self.slots.gpus)(unpack)
        try:
            result: T = ray.get(task.remote(self.data))
        except ray.exceptions.RayTaskError as error:
            raise error.cause from error
        return result

    def _tuner(self, bridge: Bridge, scratch: str) -> tune.Tuner:
        # Tune has no other way to be told how many trials may wait for their actor.
        os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(self.slots.count)  # noqa: TID251
        trainable = tune.with_resources(
            tune.with_parameters(ChildTrainable, packed=self.packed, data=self.data),
            {"cpu": self.slots.cpus, "gpu": self.slots.gpus},
        )
        return tune.Tuner(
            trainable,
            tune_config=tune.TuneConfig(
                search_alg=TuneSearcher(bridge, self.slots.count),
                scheduler=TuneScheduler(bridge),
                num_samples=-1,
                reuse_actors=True,
                trial_dirname_creator=lambda trial: trial.trial_id,
            ),
            run_config=tune.RunConfig(
                name="trials",
                storage_path=scratch,
                verbose=1 if self.verbose else 0,
                failure_config=tune.FailureConfig(max_failures=_RESTARTS),
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            ),
        )

    @contextmanager
    def _quiet(self) -> Iterator[None]:
        if self.verbose:
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


@contextmanager
def opened(
    share: Share,
    build: Callable[..., Any],
    home: ModuleType | None,
    recipe: Recipe,
    data: Data,
) -> Iterator[Session]:
    """Connect to Ray for the time of a run.

    Args:
        share: What a trial asks for, and of which cluster.
        build: Makes a child: ``build(architecture, input_shape, classes)``.
        home: The user's own module that ``build`` comes from, if it is one.
        recipe: How children are trained.
        data: What they are trained on.

    Raises:
        ResourceError: The cluster cannot be reached, or no node of it can hold a trial.
    """
    with connected(share) as slots:
        packed = Packed.of(build, home, recipe, "cuda" if slots.gpus else "cpu")
        yield Session(slots, packed, data, share.verbose)
