"""Joining or starting Ray, and what it offers.

A cluster that already runs is joined only when it was named; otherwise one is started here and
ended with the search, and no other process's cluster is touched.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Literal

import ray
from ray.exceptions import RayError

from raynas.errors import ResourceError
from raynas.execution.packing import Resources
from raynas.execution.ray_tune.lean_start import lean, loading


@dataclass(frozen=True, slots=True)
class Share:
    """What one trial takes, and how many may run at once.

    Attributes:
        cpus: Processor cores of a trial; fractions allowed.
        gpus: GPUs of a trial; fractions allowed, ``auto`` for what it is predicted to need, and
            none for one GPU where there is any.
        concurrent: Trials at once; none for as many as fit.
        address: The cluster to join; none for a new local one.
        verbose: Whether Ray may speak.
        grace: Seconds in which trials may come to a checkpoint when a signal ends the run.
        trial_timeout: Seconds after which a trial that runs has failed; none for a limit on the
            time without a report.
    """

    cpus: float = 1.0
    gpus: float | Literal["auto"] | None = None
    concurrent: int | None = None
    address: str | None = None
    verbose: bool = False
    grace: float = 30.0
    trial_timeout: float | None = None


@dataclass(frozen=True, slots=True)
class Slots:
    """What was settled after a look at the cluster.

    Attributes:
        usual: What a trial gets unless its architecture says otherwise.
        count: Trials of that share that run at once.
        nodes: What each living node has.
        lasting: Whether Ray stays when the search is over.
    """

    usual: Resources
    count: int
    nodes: tuple[Resources, ...]
    lasting: bool = False


@contextmanager
def connected(share: Share) -> Iterator[Slots]:
    """Connect to Ray for the time of a search.

    A connection the calling process already has is used and left open.

    Raises:
        ResourceError: The cluster cannot be reached, or no node of it can hold a trial.
    """
    own = not ray.is_initialized()
    try:
        if own:
            _start(share)
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        yield replace(settle(share, nodes), lasting=not own)
    finally:
        if own:
            ray.shutdown()


def settle(share: Share, nodes: list[Mapping[str, float]]) -> Slots:
    """Say what a trial gets and how many fit.

    Args:
        share: What was asked for.
        nodes: The resources of each living node.

    Raises:
        ResourceError: No node can hold a trial.
    """
    has = tuple(Resources(node.get("CPU", 0.0), node.get("GPU", 0.0)) for node in nodes)
    most_gpus = max((node.gpus for node in has), default=0.0)
    whole = min(1.0, most_gpus) if share.gpus is None else 1.0
    usual = Resources(share.cpus, share.gpus if isinstance(share.gpus, float | int) else whole)
    fitting = sum(_fitting(node, usual) for node in has)
    if not fitting:
        raise ResourceError(
            f"a trial asks for {usual} on one node, and the nodes "
            f"have {'; '.join(map(str, has)) or 'nothing'}: ask for less with --cpus-per-trial "
            "and --gpus-per-trial"
        )
    return Slots(usual, min(fitting, share.concurrent or fitting), has)


def _fitting(node: Resources, share: Resources) -> int:
    # Small tolerance: ten trials of 0.1 GPU fit one GPU.
    by_cpu = node.cpus / share.cpus if share.cpus else float("inf")
    if not share.gpus:
        return int(by_cpu + 1e-6) if share.cpus else 1
    per_device = int(1 / share.gpus + 1e-6) if share.gpus < 1 else 1 / share.gpus
    return int(min(by_cpu, node.gpus * per_device) + 1e-6)


def joins(share: Share) -> bool:
    """Say whether trials run on a Ray others have started: it may be larger than this machine."""
    return ray.is_initialized() or _address(share) != "local"


def _address(share: Share) -> str:
    return share.address or os.environ.get("RAY_ADDRESS") or "local"  # noqa: TID251 - Ray's own way to be told


def _start(share: Share) -> None:
    address = _address(share)
    try:
        if address != "local":
            from raynas.execution.ray_tune.named_cluster import check_joinable  # noqa: PLC0415

            check_joinable(address)
        helpers = address != "local" or share.verbose
        with loading("raynas.execution.ray_tune.session"), nullcontext() if helpers else lean():
            ray.init(
                address=address,
                include_dashboard=False if address == "local" else None,
                log_to_driver=share.verbose,
                logging_level=logging.INFO if share.verbose else logging.ERROR,
            )
    except (OSError, ValueError, RuntimeError, RayError) as error:
        raise ResourceError(
            f"Ray could not be started: {error}"
            if address == "local"
            else f"no Ray cluster could be reached at {address!r}: {error}. Give the address that "
            "'ray start --head' has printed, or leave --address and RAY_ADDRESS out to search on "
            "this machine"
        ) from error
