"""Score networks by proxies on a cluster; a network may crash its worker or block it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import ray

from raynas.errors import ResourceError
from raynas.execution.assess import Assessor
from raynas.execution.packing import Resources
from raynas.execution.ray_tune.missing_proxies import DIED
from raynas.execution.ray_tune.trainable import PackedContext
from raynas.searchers.screened import Assessment
from raynas.space import Architecture

_Asked = tuple[Any, Any]  # a worker, and Ray's reference to its future answer
_PATIENCE: Final = 300.0  # seconds for one network; on one core the slowest proxy takes under 3


class ProxyWorker:
    """A Ray actor that scores networks by proxies."""

    def __init__(self, packed: PackedContext, names: Sequence[str], seed: int) -> None:
        """Prepare the scoring.

        Args:
            packed: The function that builds networks, the training recipe and the data, packed.
            names: The names of the proxies.
            seed: The run's seed.
        """
        context = packed.unpacked(Resources(cpus=1.0, gpus=0.0))
        self._assessor = Assessor.of(context, names, seed)

    def assess(self, architectures: Sequence[Architecture]) -> list[Assessment]:
        """Return the scores of each architecture."""
        return self._assessor.assess(architectures)


class ProxyWorkers:
    """Several such actors. If one dies, it is replaced, and the network that killed it is found.

    Ray could restart actors itself, but it would send the same network to each new actor.
    """

    def __init__(self, most: int, packed: PackedContext, names: Sequence[str], seed: int) -> None:
        """Start at most ``most`` actors, when needed; other arguments as for ``ProxyWorker``."""
        kept = ray.put(packed)
        # They reserve no CPU or GPU, because otherwise they would wait until running trials end.
        kind = ray.remote(num_cpus=0, max_restarts=0)(ProxyWorker)
        self._hire: Callable[[], Any] = lambda: kind.remote(kept, names, seed)
        self._most = most
        self._names = names
        self._staff: list[Any] = []

    def assess(self, architectures: Sequence[Architecture]) -> list[Assessment]:
        """Return the scores of each architecture; a fault for those that kill their worker.

        Raises:
            ResourceError: A new worker does not start.
        """
        while len(self._staff) < min(len(architectures), self._most):
            self._staff.append(self._hire())
        places = [at % len(self._staff) for at in range(len(architectures))]
        asked = [self._ask(*one) for one in zip(places, architectures, strict=True)]
        return [self._said(*one) for one in zip(places, asked, architectures, strict=True)]

    def _ask(self, place: int, architecture: Architecture) -> _Asked:
        worker = self._staff[place]
        return worker, worker.assess.remote([architecture])

    def _said(self, place: int, asked: _Asked, architecture: Architecture) -> Assessment:
        """Return the scores of a network; score it again if its worker has died.

        It is scored twice, because another network of the same worker may have killed it.

        Raises:
            ResourceError: A new worker does not start; this is not the fault of a network.
        """
        heard = self._heard(place, asked)
        if heard is None:
            self._wait_for_start(place)
            heard = self._heard(place, self._ask(place, architecture))
        return heard or Assessment(faults=dict.fromkeys(self._names, DIED))

    def _heard(self, place: int, asked: _Asked) -> Assessment | None:
        """Return the answer of a worker; if it died or did not answer, replace it, return none."""
        worker, answer = asked
        try:
            assessments: list[Assessment] = ray.get(answer, timeout=_PATIENCE)
        except ray.exceptions.RayTaskError:  # a bug in raynas; the worker still runs
            raise
        except ray.exceptions.RayError:  # the worker died, Ray killed it, or it does not answer
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
                f"a worker for proxies must start within {_PATIENCE:g} s, but one did not: check "
                "the state of the cluster (ray status), then resume the run"
            ) from error
