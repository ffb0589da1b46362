"""Score architectures by a supernet on a cluster, each worker with one copy of the weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import ray
from ray.util import ActorPool

from raynas.errors import ResourceError
from raynas.execution.packing import Resources
from raynas.execution.ray_tune.trainable import PackedContext
from raynas.execution.shared_scorer import shared_scores_of
from raynas.execution.trial_spec import TrialSpec
from raynas.oneshot.loop import SupernetLoop
from raynas.space import Architecture, Space

_LARGEST: Final = 32  # architectures that a worker is sent at once
_SHARES: Final = 4  # batches per worker, so that all end at about the same time


class ScoringWorker:
    """A Ray actor that scores architectures by the weights of a supernet."""

    def __init__(
        self, packed: PackedContext, loop: SupernetLoop, spec: TrialSpec, share: Resources
    ) -> None:
        """Load the weights.

        Args:
            packed: What all supernets of the run share.
            loop: How they are trained.
            spec: The trial of the supernet.
            share: The resources of the worker.
        """
        self._scores = shared_scores_of(packed.unpacked(share), loop, spec)

    def many(self, architectures: Sequence[Architecture]) -> list[float | None]:
        """Return the score of each architecture; none for one without weights."""
        return self._scores.many(architectures)


class ScoringPool:
    """Several such actors; it is a ``raynas.oneshot.scoring.Scorer``.

    If a worker dies, all are started again, and what they were asked is asked again.

    Attributes:
        space: The space of the architectures.
    """

    def __init__(
        self,
        space: Space,
        supernet: tuple[PackedContext, SupernetLoop, TrialSpec],
        workers: int,
        share: Resources,
    ) -> None:
        """Start the workers.

        Args:
            space: The space of the architectures.
            supernet: What all supernets of the run share, how they are trained, and the trial of
                this one.
            workers: How many there are.
            share: The resources of each; they are reserved, zeros for none.
        """
        self.space = space
        self._objective = supernet[1].objective
        self._known: dict[str, float | None] = {}
        told = [ray.put(one) for one in supernet]
        kind = ray.remote(num_cpus=share.cpus, num_gpus=share.gpus)(ScoringWorker)
        self._hire: Callable[[], list[Any]] = lambda: [
            kind.remote(*told, share) for _ in range(workers)
        ]
        self._workers = self._hire()

    def many(self, architectures: Sequence[Architecture]) -> list[float | None]:
        """Return the score of each architecture; each is computed once.

        Raises:
            ResourceError: Workers died, also after they were started again.
        """
        names = [self.space.identity(one) for one in architectures]
        named = zip(names, architectures, strict=True)
        new = {name: one for name, one in named if name not in self._known}
        try:
            scores = self._scored([*new.values()])
        except ray.exceptions.RayActorError:
            self.close()
            self._workers = self._hire()
            scores = self._scored_again([*new.values()])
        self._known.update(zip(new, scores, strict=True))
        return [self._known[name] for name in names]

    def _scored(self, architectures: Sequence[Architecture]) -> list[float | None]:
        size = -(-len(architectures) // (_SHARES * len(self._workers)))
        size = max(1, min(size, _LARGEST))
        batches = [architectures[at : at + size] for at in range(0, len(architectures), size)]
        scored = ActorPool(self._workers).map(_many, batches)
        return [score for batch in scored for score in batch]

    def _scored_again(self, architectures: Sequence[Architecture]) -> list[float | None]:
        try:
            return self._scored(architectures)
        except ray.exceptions.RayActorError as error:
            raise ResourceError(
                "a worker that scores by shared weights died, and then another one: check their "
                f"memory and the state of the cluster, then resume the run ({error})"
            ) from error

    def loss(self, score: float) -> float:
        """Return a score as a loss, of which less is better."""
        return self._objective.loss({self._objective.metric: score})

    def close(self) -> None:
        """End the workers."""
        for worker in self._workers:
            ray.kill(worker)


def _many(worker: Any, architectures: Sequence[Architecture]) -> Any:
    return worker.many.remote(architectures)
