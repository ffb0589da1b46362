"""One actor measures networks, one at a time, on a device that it alone holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import ray

from raynas.errors import ConfigError, ProbeError, RaynasError
from raynas.execution.measurements import Measurements
from raynas.execution.packing import Resources
from raynas.execution.ray_tune.trainable import PackedContext
from raynas.execution.work import ProbeWork

_CPU: Final = Resources(1.0, 0.0)


class ProbeActor(Measurements):
    """Measures in a process of its own."""

    def __init__(self, packed: PackedContext, work: ProbeWork) -> None:
        """Begin; the arguments are as for ``Measurements``, with a packed context.

        Raises:
            ConfigError: The probe cannot measure this here.
        """
        super().__init__(packed.unpacked(_CPU), work)


@dataclass(frozen=True, slots=True)
class RemoteProbe:
    """Asks the actor; workers have it.

    Attributes:
        actor: The actor.
    """

    actor: Any

    def __call__(self, architecture: Mapping[str, Any]) -> Mapping[str, float]:
        """Return what the actor measures.

        Raises:
            ProbeError: The network could not be measured, or the actor is gone.
            RaynasError: As for ``Measurements.measure``.
        """
        try:
            found: Mapping[str, float] = ray.get(self.actor.measure.remote(dict(architecture)))
        except ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, RaynasError):
                raise error.cause from None
            raise ProbeError(f"the network could not be measured: {error.cause!r}") from error
        except ray.exceptions.RayActorError as error:
            raise ProbeError(f"the actor of the probe is gone: {error}") from error
        return found


@contextmanager
def started(packed: PackedContext, work: ProbeWork) -> Iterator[RemoteProbe]:
    """Start the actor, which holds its device while the context is open.

    Raises:
        ConfigError: The probe cannot measure this on its device.
    """
    kind = ray.remote(num_cpus=work.share.cpus, num_gpus=work.share.gpus)(ProbeActor)
    actor = kind.remote(packed, work)
    try:
        _check(actor)
        yield RemoteProbe(actor)
    finally:
        ray.kill(actor)


def _check(actor: Any) -> None:
    """Wait until the actor has begun.

    Raises:
        ConfigError: It could not.
    """
    try:
        ray.get(actor.device.remote())
    except ray.exceptions.RayActorError as error:
        raise ConfigError(_why(error)) from error


def _why(error: Exception) -> str:
    """Return the last line of what an actor raised when it began, without the class."""
    last = [line.strip() for line in str(error).splitlines() if line.strip()][-1]
    return last.partition("Error: ")[2] or last
