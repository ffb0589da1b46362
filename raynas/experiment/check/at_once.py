"""How many trials a search would run at once on this machine."""

from __future__ import annotations

import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from typing import Final

import numpy as np

from raynas.errors import ConfigError, ResourceError
from raynas.execution.admission import Admission
from raynas.execution.gpu_device import GPUDevice
from raynas.execution.memory_prediction import MemoryPredictor, estimator
from raynas.execution.packing import FreeResources, Resources, Shares
from raynas.experiment.resolve.machine import share_of
from raynas.experiment.resolve.resolved import ResolvedExperiment
from raynas.space import Architecture
from raynas.trial import History, Started, Trial

_ORDERS: Final = 16  # random orders of the sampled architectures


@dataclass(frozen=True, slots=True)
class AtOnce:
    """The trials that run at once.

    Attributes:
        trials: Their number, at least one.
        gpus: The GPUs that the search holds for each of them.
    """

    trials: int
    gpus: float


def at_once(
    resolved: ResolvedExperiment,
    architectures: Sequence[Architecture],
    gpus: int,
    device: GPUDevice | None,
) -> AtOnce:
    """Return how many trials of sampled architectures run at once.

    Their shares are those that a search gives to its first trials. If they differ, it is the mean
    number over random orders, rounded down.

    Args:
        resolved: The search.
        architectures: Some architectures, at least one, which can be built.
        gpus: The number of GPUs of this machine that trials may use.
        device: What each of them has at least; none if there is none.
    """
    from raynas.execution.ray_tune.cluster import settle, without  # noqa: PLC0415 - loads Ray

    nodes = {"here": Resources(float(os.cpu_count() or 1), float(gpus))}
    if resolved.probe is not None:
        nodes = without(nodes, resolved.probe.share)
    slots = settle(share_of(resolved.experiment, resolved.workers), nodes, grows=True)
    resources, trials = resolved.space.resources, slots.count
    if slots.predicted or resources is not None:
        fraction = None
        if slots.predicted:
            estimate = estimator(resolved.build, resolved.recipe, resolved.data, device)
            fraction = MemoryPredictor(estimate, device)
        shares = Shares(slots.usual, [*nodes.values()], resources, fraction)
        known = [share for one in architectures if (share := _share(shares, one))]
        most = resolved.experiment.max_concurrent
        trials = running(known, FreeResources(nodes, most), slots.usual) if known else 0
    if not slots.count:  # the search will run elsewhere
        return AtOnce(1, slots.gpus_held)
    trials = max(1, trials)
    return AtOnce(trials, slots.gpus_held * slots.count / trials)


def _share(shares: Shares, architecture: Architecture) -> Resources | None:
    """Return the resources of a trial; none if they fit nowhere, so that it would fail."""
    try:
        return shares.of(_trial(architecture), History())
    except (ConfigError, ResourceError):
        return None


def running(shares: Sequence[Resources], free: FreeResources, usual: Resources) -> int:
    """Return how many trials start where all is free, as the mean over random orders.

    Args:
        shares: The resources of some trials; there are as many trials as wanted like each of them.
        free: The resources of the nodes; all are left free.
        usual: The default resources of a trial.
    """
    rng, counts = np.random.default_rng(0), []
    for _ in range(_ORDERS):
        order = cycle(shares[at] for at in rng.permutation(len(shares)))
        asked = ((_trial(Architecture({}), at), share) for at, share in enumerate(order))
        admission = Admission(free, usual)
        while admission.next(partial(next, asked)):
            pass
        started = [*free.trials]
        counts.append(len(started))
        for number in started:
            free.free(number)
    return int(statistics.mean(counts))


def _trial(architecture: Architecture, number: int = 0) -> Trial:
    return Trial(Started(number, architecture, "", 1, 0))
