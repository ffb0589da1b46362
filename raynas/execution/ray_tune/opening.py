"""Connect to Ray for a run. Ray Tune, whose import is slow, is imported while Ray starts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from raynas.execution.constraint_check import ConstraintCheck
from raynas.execution.memory_prediction import MemoryPredictor, estimator
from raynas.execution.packing import Shares
from raynas.execution.ray_tune import devices
from raynas.execution.ray_tune.cluster import Share, connected
from raynas.execution.ray_tune.lean_start import load_ahead
from raynas.execution.work import Work

if TYPE_CHECKING:
    from raynas.execution.ray_tune.session import RaySession
    from raynas.execution.ray_tune.trainable import PackedContext


@contextmanager
def opened(share: Share, work: Work) -> Iterator[RaySession]:
    """Connect to Ray while the context is open.

    Args:
        share: The resources that the user asked for.
        work: What trials do.

    Raises:
        ResourceError: Ray cannot start, the cluster cannot be reached, or no node has enough for
            a trial.
        ConfigError: The probe cannot measure what it should on its device.
    """
    share = replace(share, held=work.probe.share if work.probe else None)
    with connected(share) as slots:
        from raynas.execution.ray_tune.session import RaySession  # noqa: PLC0415 - loads Tune
        from raynas.execution.ray_tune.trainable import PackedContext  # noqa: PLC0415

        fraction = None
        if slots.predicted:
            load_ahead("torch._dynamo")  # computing shapes loads it, which takes seconds
            device = devices.first_device(elsewhere=slots.shared)
            estimate = estimator(work.build, work.recipe, work.data, device)
            fraction = MemoryPredictor(estimate, device)
        shares = Shares(slots.usual, [*slots.nodes.values()], work.resources, fraction)
        packed = PackedContext.of(work, "cuda")
        with _probing(packed, work) as packed:
            yield RaySession(slots, shares, packed, share)


@contextmanager
def _probing(packed: PackedContext, work: Work) -> Iterator[PackedContext]:
    """Let the actor of a probe measure networks while the context is open, if there is one."""
    if work.probe is None:
        yield packed
        return
    from raynas.execution.ray_tune.probe_actor import started  # noqa: PLC0415 - loads Ray

    with started(packed, work.probe) as probe:
        yield replace(packed, check=ConstraintCheck(work.constraints, probe))
