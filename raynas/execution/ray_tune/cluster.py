"""Connect to a Ray cluster or start one, and find its resources.

raynas joins a running cluster only if the user gives its address. Otherwise it starts a local
Ray, and stops it at the end of the search. It never uses another process's cluster.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Literal

import ray

from raynas.errors import RaynasError, ResourceError
from raynas.execution.packing import SMALLEST, Resources
from raynas.execution.ray_tune.lean_start import lean, loading


@dataclass(frozen=True, slots=True)
class Share:
    """The resources that the user asked for, for each trial and in all.

    Attributes:
        cpus: The CPU cores of a trial; fractions are allowed.
        gpus: The GPUs of a trial; fractions are allowed. ``auto`` predicts the fraction that the
            trial needs; none is ``auto`` if a node has a GPU, otherwise 0.
        concurrent: The most trials that run at once; none for as many as fit.
        address: The address of the cluster to join; none for a new local Ray.
        verbose: Whether to show Ray's own output.
        grace: The seconds that trials have to write a checkpoint after a signal.
        trial_timeout: The seconds after which a running trial fails; none for a limit of the
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
    """The resources of the cluster, and how many trials run at once.

    Attributes:
        usual: The default resources of a trial; if they are predicted, the least.
        count: The number of trials with the default resources that run at once.
        nodes: The resources of each node that is alive.
        predicted: Whether the fraction of a GPU is predicted for each trial.
        lasting: Whether Ray continues to run after the search.
    """

    usual: Resources
    count: int
    nodes: tuple[Resources, ...]
    predicted: bool = False
    lasting: bool = False

    @property
    def gpus_held(self) -> float:
        """The GPUs that the search holds, for each of ``count`` trials."""
        if self.predicted:
            return sum(node.gpus for node in self.nodes) / self.count
        return self.usual.gpus


@contextmanager
def connected(share: Share) -> Iterator[Slots]:
    """Connect to Ray while the context is open.

    If the process is connected already, that connection is used and stays open.

    Raises:
        ResourceError: Ray cannot start, the cluster cannot be reached, or no node has enough for
            a trial.
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
    """Return the default resources of a trial, and how many trials run at once.

    Args:
        share: The resources that the user asked for.
        nodes: The resources of each node that is alive, as Ray names them.

    Raises:
        ResourceError: No node has enough for a trial.
    """
    has = tuple(Resources(node.get("CPU", 0.0), node.get("GPU", 0.0)) for node in nodes)
    most_gpus = max((node.gpus for node in has), default=0.0)
    predicted = share.gpus == "auto" or (share.gpus is None and most_gpus > 0)
    least = SMALLEST if predicted else 0.0
    usual = Resources(share.cpus, share.gpus if isinstance(share.gpus, float | int) else least)
    fitting = sum(_fitting(node, usual) for node in has)
    if not fitting:
        raise ResourceError(
            f"a trial asks for {usual} on one node, and the nodes "
            f"have {'; '.join(map(str, has)) or 'nothing'}: ask for less with --cpus-per-trial "
            "and --gpus-per-trial"
        )
    return Slots(usual, min(fitting, share.concurrent or fitting), has, predicted)


def _fitting(node: Resources, share: Resources) -> int:
    # The tolerance of 1e-6 is for rounding: ten trials with 0.1 GPU each fit on one GPU.
    by_cpu = node.cpus / share.cpus if share.cpus else float("inf")
    if not share.gpus:
        return int(by_cpu + 1e-6) if share.cpus else 1
    per_device = int(1 / share.gpus + 1e-6) if share.gpus < 1 else 1 / share.gpus
    return int(min(by_cpu, node.gpus * per_device) + 1e-6)


def joins(share: Share) -> bool:
    """Return whether raynas joins a running Ray, which may have more than this machine."""
    return ray.is_initialized() or named(share)


def named(share: Share) -> bool:
    """Return whether an address names the Ray to join."""
    return _address(share) != "local"


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
    except RaynasError:
        raise
    except Exception as error:  # Ray raises plain exceptions, too: if its start takes too long
        raise ResourceError(_failure(address, error)) from error


def _failure(address: str, error: Exception) -> str:
    """Return why there is no Ray, and what to do: one line, though Ray may say many."""
    reason = " ".join((str(error) or type(error).__name__).split()).split(". ")[0].rstrip(".")
    if address == "local":
        return (
            f"Ray must start on this machine, and it did not: {reason}. Try again when the "
            "machine has more free memory, disk space and processor time; --verbose shows Ray's "
            "output"
        )
    return (
        f"no Ray cluster could be reached at {address!r}: {reason}. Give the address that "
        "'ray start --head' printed; or, to search on this machine, give no --address and unset "
        "RAY_ADDRESS"
    )
