"""Score architectures by a supernet on a cluster, each worker with one copy of the weights."""

from __future__ import annotations

from collections.abc import Sequence
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
_RESTARTS: Final = 2  # of a worker that has died, before the run ends


class ScoringWorker:
    """A Ray actor that scores architectures by the weights of a supernet."""

    def __init__(self, supernet: Sequence[Any], share: Resources) -> None:
        """Load the weights.

        Args:
            supernet: References to what all supernets of the run share, to how they are trained,
                and to the trial of this one.
            share: The resources of the worker.
        """
        packed: PackedContext
        packed, loop, spec = ray.get([*supernet])
        self._scores = shared_scores_of(packed.unpacked(share), loop, spec)

    def many(self, architectures: Sequence[Architecture]) -> list[float | None]:
        """Return the score of each architecture; none for one without weights."""
        return self._scores.many(architectures)


class ScoringPool:
    """Several such actors; it is a ``raynas.oneshot.scoring.Scorer``.

    A worker that dies is started again by Ray, and what it was asked is asked again.

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
        kind = ray.remote(
            num_cpus=share.cpus,
            num_gpus=share.gpus,
            max_restarts=_RESTARTS,
            max_task_retries=_RESTARTS,
        )(ScoringWorker)
        # In a list, so that Ray does not put them into the arguments of a restart; and kept here.
        self._told = [ray.put(one) for one in supernet]
        self._workers = [kind.remote(self._told, share) for _ in range(workers)]

    def many(self, architectures: Sequence[Architecture]) -> list[float | None]:
        """Return the score of each architecture; each is computed once.

        Raises:
            ResourceError: Workers died, also after they were started again.
        """
        names = [self.space.identity(one) for one in architectures]
        named = zip(names, architectures, strict=True)
        new = {name: one for name, one in named if name not in self._known}
        size = -(-len(new) // (_SHARES * len(self._workers)))
        size = max(1, min(size, _LARGEST))
        fresh = [*new.values()]
        batches = [fresh[at : at + size] for at in range(0, len(fresh), size)]
        try:
            scored: list[list[float | None]] = [*ActorPool(self._workers).map(_many, batches)]
        except ray.exceptions.RayActorError as error:
            raise ResourceError(
                f"the workers that score by shared weights have died {_RESTARTS + 1} times: check "
                f"their memory and the state of the cluster, then resume the run ({error})"
            ) from error
        self._known.update(zip(new, (one for batch in scored for one in batch), strict=True))
        return [self._known[name] for name in names]

    def loss(self, score: float) -> float:
        """Return a score as a loss, of which less is better."""
        return self._objective.loss({self._objective.metric: score})

    def close(self) -> None:
        """End the workers."""
        for worker in self._workers:
            ray.kill(worker)


def _many(worker: Any, architectures: list[Architecture]) -> Any:
    return worker.many.remote(architectures)
