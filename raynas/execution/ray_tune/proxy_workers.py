"""Asking proxies on a cluster, of networks that may kill whoever looks at them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ray

from raynas.data import Data
from raynas.execution.assess import Assessor
from raynas.execution.packing import Resources
from raynas.execution.ray_tune.missing_proxies import DIED
from raynas.execution.ray_tune.trainable import PackedContext
from raynas.searchers.screened import Assessment
from raynas.space import Architecture

_Asked = tuple[Any, Any]  # a worker, and the answer to come


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
    """Several of them; one that dies is replaced, and what killed it is found out.

    Ray itself could restart them, but would ask of the same network again until all are dead.
    """

    def __init__(
        self, most: int, packed: PackedContext, data: Data, names: Sequence[str], seed: int
    ) -> None:
        """Let nobody start yet, and ``most`` in the end; the rest is as for an ``ProxyWorker``."""
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
        """Return what is said of a network, asked twice if need be.

        The first time another one may have been before it in the queue, or the process have died
        by chance.

        Raises:
            RayActorError: A fresh worker does not start; no network is to blame for that.
        """
        heard = self._heard(place, asked)
        if heard is None:
            ray.get(self._staff[place].__ray_ready__.remote())
            heard = self._heard(place, self._ask(place, architecture))
        return heard or Assessment(faults=dict.fromkeys(self._names, DIED))

    def _heard(self, place: int, asked: _Asked) -> Assessment | None:
        """Return an answer; none if who was asked has died, and is being replaced."""
        worker, answer = asked
        try:
            assessments: list[Assessment] = ray.get(answer)
        except ray.exceptions.RayActorError:
            if self._staff[place] is worker:
                self._staff[place] = self._hire()
            return None
        return assessments[0]
