"""Connecting to Ray for a run. Ray Tune, slow to load, is loaded while Ray starts."""

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
    """Connect to Ray for the time of a run.

    Args:
        share: What a trial asks for, and of which cluster.
        build: Makes a child: ``build(architecture, input_shape, classes)``.
        home: The user's own module that ``build`` comes from, if it is one.
        recipe: How children are trained.
        data: What they are trained on.
        resources: The space's word on what a trial gets, if it has one.

    Raises:
        ResourceError: The cluster cannot be reached, or no node of it can hold a trial.
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
