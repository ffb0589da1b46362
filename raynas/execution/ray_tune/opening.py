"""Connect to Ray for a run. Ray Tune, whose import is slow, is imported while Ray starts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

from raynas.data import Data, Loop, LoopData
from raynas.execution.memory_prediction import MemoryPredictor, estimator
from raynas.execution.packing import Shares
from raynas.execution.ray_tune.cluster import Share, connected
from raynas.space import Architecture
from raynas.training.recipe import Recipe

if TYPE_CHECKING:
    from raynas.execution.ray_tune.session import RaySession


@dataclass(frozen=True, slots=True)
class Work:
    """What trials do, and with what.

    Attributes:
        build: Makes the child of an architecture.
        recipe: The training recipe of the children.
        data: The data of the task.
        loop: The task's own training loop, if it has one.
        homes: The user's modules that define ``build``, the data or the loop.
        resources: The space's function that returns the resources of a trial, if it has one.
    """

    build: Callable[[Architecture], Any]
    recipe: Recipe
    data: Data | LoopData
    loop: Loop | None = None
    homes: tuple[ModuleType, ...] = ()
    resources: Callable[[Architecture], Any] | None = None


@contextmanager
def opened(share: Share, work: Work) -> Iterator[RaySession]:
    """Connect to Ray while the context is open.

    Args:
        share: The resources that the user asked for.
        work: What trials do.

    Raises:
        ResourceError: The cluster cannot be reached, or no node has enough for a trial.
    """
    with connected(share) as slots:
        from raynas.execution.ray_tune.session import RaySession  # noqa: PLC0415 - loads Tune
        from raynas.execution.ray_tune.trainable import PackedContext  # noqa: PLC0415

        fraction = None
        if share.gpus == "auto":
            fraction = MemoryPredictor(estimator(work.build, work.recipe, work.data))
        shares = Shares(slots.usual, slots.nodes, work.resources, fraction)
        packed = PackedContext.of(
            work.build, work.homes, work.recipe, work.data, loop=work.loop, device="cuda"
        )
        yield RaySession(slots, shares, packed, share)
