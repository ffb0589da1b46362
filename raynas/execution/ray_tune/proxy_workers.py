"""Score networks by proxies on a cluster; a network may kill its worker or keep it busy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import ray

from raynas.data import Data
from raynas.errors import ResourceError
from raynas.execution.assess import Assessor
from raynas.execution.packing import Resources
from raynas.execution.ray_tune.missing_proxies import DIED
from raynas.execution.ray_tune.trainable import PackedContext
from raynas.searchers.screened import Assessment
from raynas.space import Architecture

_Asked = tuple[Any, Any]  # a worker, and the answer to come
_PATIENCE: Final = 300.0  # seconds for a network; on one core the slowest proxy takes less than 3


class ProxyWorker:
    """An actor that asks proxies."""

    def __init__(self, packed: PackedContext, data: Data, names: Sequence[str], seed: int) -> None:
        """Take over what all architectures share."""
        context = packed.unpacked(data, Resources(cpus=1.0, gpus=0.0))
        self._assessor = Assessor.of(context, data, names, seed)

    def assess(self, architectures: Sequence[Architecture]) -> list[Assessment]:
        """Return what proxies say of each."""
        return self._assessor.assess(architectures)


class ProxyWorkers:
    """Several such actors; one that dies is replaced, and the network that killed it is found.

    Ray itself could restart them, but would ask about the same network again until all are dead.
    """

    def __init__(
        self, most: int, packed: PackedContext, data: Data, names: Sequence[str], seed: int
    ) -> None:
        """Start at most ``most`` actors, when needed; the rest is as for a ``ProxyWorker``."""
        kept = ray.put(data)
        # No share of a CPU or GPU, or they would wait for the trials they decide on.
        kind = ray.remote(num_cpus=0, max_restarts=0)(ProxyWorker)
        self._hire: Callable[[], Any] = lambda: kind.remote(packed, kept, names, seed)
        self._most = most
        self._names = names
        self._staff: list[Any] = []

    def assess(self, architectures: Sequence[Architecture]) -> list[Assessment]:
        """Return what proxies say of each; those that end a process get a fault."""
        while len(self._staff) < min(len(architectures), self._most):
            self._staff.append(self._hire())
        places = [at % len(self._staff) for at in range(len(architectures))]
        asked = [self._ask(*one) for one in zip(places, architectures, strict=True)]
        return [self._said(*one) for one in zip(places, asked, architectures, strict=True)]

    def _ask(self, place: int, architecture: Architecture) -> _Asked:
        worker = self._staff[place]
        return worker, worker.assess.remote([architecture])

    def _said(self, place: int, asked: _Asked, architecture: Architecture) -> Assessment:
        """Return the scores of a network, which is scored again if its worker has died.

        The first time, another network in the queue may have killed it.

        Raises:
            ResourceError: A new worker does not start; no network is to blame for that.
        """
        heard = self._heard(place, asked)
        if heard is None:
            self._wait_for_start(place)
            heard = self._heard(place, self._ask(place, architecture))
        return heard or Assessment(faults=dict.fromkeys(self._names, DIED))

    def _heard(self, place: int, asked: _Asked) -> Assessment | None:
        """Return an answer; none if the worker has died or was ended, and is being replaced."""
        worker, answer = asked
        try:
            assessments: list[Assessment] = ray.get(answer, timeout=_PATIENCE)
        except ray.exceptions.RayTaskError:  # an error of our own, not of a worker
            raise
        except ray.exceptions.RayError:  # it died, Ray has killed it, or it does not answer
            ray.kill(worker)
            if self._staff[place] is worker:
                self._staff[place] = self._hire()
            return None
        return assessments[0]

    def _wait_for_start(self, place: int) -> None:
        try:
            ray.get(self._staff[place].__ray_ready__.remote(), timeout=_PATIENCE)
        except ray.exceptions.RayError as error:
            raise ResourceError(
                f"a worker for proxies must start within {_PATIENCE:g} s, and one did not: look "
                "at the state of the cluster (ray status), then resume the run"
            ) from error
