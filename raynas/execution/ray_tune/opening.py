"""Connect to Ray for a run. Ray Tune, whose import is slow, is imported while Ray starts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

from raynas.data import Data
from raynas.execution.memory_prediction import MemoryPredictor, estimator
from raynas.execution.packing import Shares
from raynas.execution.ray_tune.cluster import Share, connected
from raynas.space import Architecture
from raynas.training.recipe import Recipe

if TYPE_CHECKING:
    from raynas.execution.ray_tune.session import RaySession


@contextmanager
def opened(
    share: Share,
    build: Callable[..., Any],
    home: ModuleType | None,
    recipe: Recipe,
    data: Data,
    resources: Callable[[Architecture], Any] | None = None,
) -> Iterator[RaySession]:
    """Connect to Ray while the context is open.

    Args:
        share: The resources that the user asked for.
        build: Returns a child: ``build(architecture, input_shape, classes)``.
        home: The user's module that defines ``build``; none if raynas defines it.
        recipe: The training recipe of the children.
        data: The data of the task.
        resources: The space's function that returns the resources of a trial, if it has one.

    Raises:
        ResourceError: The cluster cannot be reached, or no node has enough for a trial.
    """
    with connected(share) as slots:
        from raynas.execution.ray_tune.session import RaySession  # noqa: PLC0415 - loads Tune
        from raynas.execution.ray_tune.trainable import PackedContext  # noqa: PLC0415

        fraction = (
            MemoryPredictor(estimator(build, recipe, data)) if share.gpus == "auto" else None
        )
        shares = Shares(slots.usual, slots.nodes, resources, fraction)
        packed = PackedContext.of(build, home, recipe, "cuda")
        yield RaySession(slots, shares, packed, data, share)
