"""Connect to a Ray cluster or start one, and find its resources.

raynas joins a running cluster only if the user gives its address. Otherwise it starts a local
Ray, and stops it at the end of the search. It never uses another process's cluster.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Final, Literal

import ray

from raynas.errors import RaynasError, ResourceError
from raynas.execution.packing import SMALLEST, Resources
from raynas.execution.ray_tune.head_watch import head_watched
from raynas.execution.ray_tune.installed import Installed
from raynas.execution.ray_tune.lean_start import lean, loading
from raynas.execution.ray_tune.on_loopback import on_loopback

_VERSIONS: Final = re.compile(r"Ray: (\S+)\s+Python: (\S+)")  # in Ray's error: theirs, then mine


@dataclass(frozen=True, slots=True)
class Share:
    """The resources that the user asked for, for each trial and in all.

    Attributes:
        cpus: The CPU cores of a trial; fractions are allowed.
        gpus: The GPUs of a trial; fractions are allowed. ``auto`` predicts the fraction that the
            trial needs; none is ``auto`` if a node has a GPU, otherwise 0.
        workers: How many processes train a trial together; each has these CPUs and GPUs.
        concurrent: The most trials that run at once; none for as many as fit. A cluster that adds
            nodes when they are needed is asked for nodes for so many.
        address: The address of the cluster to join; none for a new local Ray.
        verbose: Whether to show Ray's own output.
        grace: The seconds that trials have to write a checkpoint after a signal.
        trial_timeout: The seconds after which a running trial fails; none for a limit of the
            time without a report.
        held: What a probe holds beside the trials; none if there is no probe.
    """

    cpus: float = 1.0
    gpus: float | Literal["auto"] | None = None
    workers: int = 1
    concurrent: int | None = None
    address: str | None = None
    verbose: bool = False
    grace: float = 30.0
    trial_timeout: float | None = None
    held: Resources | None = None


@dataclass(frozen=True, slots=True)
class Slots:
    """The resources of the cluster, and how many trials run at once.

    Attributes:
        usual: The default resources of a trial; if they are predicted, the least.
        count: The number of trials with the default resources that run at once.
        nodes: The resources of each node that is alive, by its name.
        predicted: Whether the fraction of a GPU is predicted for each trial.
        lasting: Whether Ray continues to run after the search.
        shared: Whether raynas has joined a running Ray, whose nodes may come and leave.
    """

    usual: Resources
    count: int
    nodes: Mapping[str, Resources]
    predicted: bool = False
    lasting: bool = False
    shared: bool = False

    @property
    def gpus_held(self) -> float:
        """The GPUs that the search holds, for each of ``count`` trials."""
        if self.predicted:
            return sum(node.gpus for node in self.nodes.values()) / max(self.count, 1)
        return self.usual.gpus * self.usual.workers


@contextmanager
def connected(share: Share) -> Iterator[Slots]:
    """Connect to Ray while the context is open.

    If the process is connected already, that connection is used and stays open.

    Raises:
        ResourceError: Ray cannot start, the cluster cannot be reached, a node has no raynas, or
            no node has enough for a trial.
    """
    own = not ray.is_initialized()
    try:
        if own:
            _start(share)
        shared = not own or named(share)
        nodes = usable(share)
        if shared:
            Installed().check(nodes)
        slots = settle(share, nodes, grows=shared and share.concurrent is not None)
        with head_watched(ray.get_runtime_context().gcs_address):
            yield replace(slots, lasting=not own, shared=shared)
    finally:
        if own:
            ray.shutdown()


def alive() -> dict[str, Resources]:
    """Return the resources of each node of the cluster that is alive, by its name."""
    nodes = {node["NodeID"]: node["Resources"] for node in ray.nodes() if node["Alive"]}
    return {
        name: Resources(has.get("CPU", 0.0), has.get("GPU", 0.0)) for name, has in nodes.items()
    }


def usable(share: Share) -> dict[str, Resources]:
    """Return the resources for trials of each node that is alive, by its name.

    Raises:
        ResourceError: No node has enough for the probe.
    """
    return without(alive(), share.held) if share.held else alive()


def settle(share: Share, nodes: Mapping[str, Resources], *, grows: bool = False) -> Slots:
    """Return the default resources of a trial, and how many trials run at once.

    Args:
        share: The resources that the user asked for.
        nodes: The resources of each node that is alive, by its name.
        grows: Whether nodes may come that have enough for a trial.

    Raises:
        ResourceError: No node has enough for a trial, and none will come.
    """
    most_gpus = max((node.gpus for node in nodes.values()), default=0.0)
    auto = share.gpus == "auto" or (share.gpus is None and most_gpus > 0)
    predicted = auto and share.workers == 1
    least = SMALLEST if predicted else float(auto)  # processes that share a GPU gain nothing
    gpus = share.gpus if isinstance(share.gpus, float | int) else least
    usual = Resources(share.cpus, gpus, share.workers)
    count = fitting(usual, nodes, share.concurrent)
    if not count and not grows:
        alone = share.workers == 1
        fewer = ", or for fewer workers with --workers-per-trial"
        where, more = (" on one node", "") if alone else ("", fewer)
        raise ResourceError(
            f"a trial asks for {usual}{where}, and the nodes "
            f"have {'; '.join(map(str, nodes.values())) or 'nothing'}: ask for less with "
            f"--cpus-per-trial and --gpus-per-trial{more}; if the cluster adds nodes when they "
            "are needed, say for how many trials with --max-concurrent"
        )
    return Slots(usual, count, nodes, predicted)


def fitting(share: Resources, nodes: Mapping[str, Resources], most: int | None) -> int:
    """Return how many trials with the resources ``share`` run at once on nodes.

    Args:
        share: The resources of each trial.
        nodes: The resources of each node.
        most: The most trials that may run at once; none for as many as fit.
    """
    fits = sum(_fitting(node, share) for node in nodes.values()) // share.workers
    return fits if most is None else min(fits, most)


def without(nodes: Mapping[str, Resources], held: Resources) -> dict[str, Resources]:
    """Return what nodes have beside what a probe holds on one of them.

    Raises:
        ResourceError: No node has enough for the probe.
    """
    fits = {name: one.cpus >= held.cpus and one.gpus >= held.gpus for name, one in nodes.items()}
    if not any(fits.values()):
        raise ResourceError(
            f"a probe needs a device of its own, {held}, and the nodes have "
            f"{'; '.join(map(str, nodes.values())) or 'nothing'}: use another probe"
        )
    on = max(nodes, key=lambda name: (fits[name], -nodes[name].gpus, nodes[name].cpus, name))
    left = Resources(nodes[on].cpus - held.cpus, nodes[on].gpus - held.gpus)
    return {**nodes, on: left}


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
        with ExitStack() as starting:
            starting.enter_context(loading("raynas.execution.ray_tune.session"))
            if address == "local":
                starting.enter_context(on_loopback())
                starting.enter_context(nullcontext() if share.verbose else lean())
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
    if len(versions := _VERSIONS.findall(str(error))) > 1:
        (theirs, their_python), (mine, my_python) = versions[:2]
        return (
            f"the Ray cluster at {address!r} has Ray {theirs} and Python {their_python}, and here "
            f"are Ray {mine} and Python {my_python}: both must be the same, so make an "
            "environment with the versions of the cluster, or let the cluster run the search: "
            "raynas submit"
        )
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
