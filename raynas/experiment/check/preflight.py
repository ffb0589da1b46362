"""A look at a search before it is launched: sampled architectures, built and tried here."""

from __future__ import annotations

import math
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from raynas.errors import ConfigError, RaynasError, SpaceError
from raynas.experiment.check.forecast import forecast
from raynas.experiment.check.network_probe import Built, NetworkProbe, Trained
from raynas.experiment.experiment import Experiment
from raynas.experiment.resolve.machine import check_machine
from raynas.experiment.resolve.resolved import ResolvedExperiment, resolve
from raynas.insight.preflight import Preflight, Spread
from raynas.rng import proposal_rng
from raynas.space import Architecture

if TYPE_CHECKING:
    from raynas.execution.ray_tune.isolated_process import IsolatedProcess

_LOOKING: Final = 0.5  # share of the time for building; the rest is for training
_PATIENCE: Final = 120.0  # seconds for a network, loading torch included, on a busy machine
_DEATHS: Final = 3  # of the process that looks, after which time is up in earnest


@dataclass(frozen=True, slots=True)
class PreflightBudget:
    """How much may be looked at; what is reached first ends it.

    Attributes:
        sample: Architectures.
        seconds: Time for all of it, loading aside; what has begun by then is finished.

    Raises:
        ConfigError: One of them is not above zero.
    """

    sample: int = 100
    seconds: float = 15.0

    def __post_init__(self) -> None:
        """Check both."""
        if self.sample < 1 or not self.seconds > 0:
            raise ConfigError(
                "a check needs a sample of at least 1 and a time limit above 0 seconds: "
                f"got {self.sample} and {self.seconds}"
            )


@dataclass(slots=True)
class _Seen:
    """What was seen of the sample so far."""

    built: list[tuple[Architecture, Built]] = field(default_factory=list)
    trained: list[Trained] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    tried: int = 0
    deaths: int = 0

    @property
    def pace(self) -> list[float]:
        """The times of an epoch."""
        return [one.seconds for one in self.trained]


def preflight(
    experiment: Experiment, limits: PreflightBudget | None = None, workers: int | None = None
) -> Preflight:
    """Build and try a sample of the architectures that a search could meet.

    First the sample is built and measured, then some are trained for a few steps on this
    machine: those of median, least and most FLOPs before the others.

    Args:
        experiment: The search.
        limits: How much may be looked at.
        workers: Trials at once; none for as many as fit on this machine.

    Raises:
        ConfigError: Something in the experiment does not exist or fit.
        DataError: The data are not there.
        ResourceError: This machine cannot hold a trial.
        SpaceError: No architecture could be built, or none trained.
    """
    from raynas.execution.ray_tune.isolated_process import IsolatedProcess  # noqa: PLC0415 - Ray

    limits = limits or PreflightBudget()
    if workers is not None and workers < 1:
        raise ConfigError(f"workers must be at least 1, got {workers}")
    resolved = resolve(experiment)
    check_machine(experiment, resolved.space)
    seen = _Seen()
    with IsolatedProcess(NetworkProbe.of(experiment, resolved)) as looking:
        here: int = looking.ask(("gpus", ()))
        started = time.monotonic()
        _build_sample(seen, looking, resolved, limits, started)
        _train_some(seen, looking, started + limits.seconds)
    name, gpus = _called(experiment.scheduler), _gpus(experiment)
    workers = workers or _fitting(experiment, here)
    cast = forecast(resolved.plan, name, workers, seen.pace, gpus)
    return Preflight(
        space=_called(experiment.space),
        size=resolved.space.space.size,
        task=_called(experiment.task),
        examples=len(resolved.data.train),
        input_shape=resolved.data.input_shape,
        classes=resolved.data.classes,
        device="cuda" if here else "cpu",
        asked=limits.sample,
        forecast=cast,
        seconds=time.monotonic() - started,
        **_spreads(seen),
    )


def _spreads(seen: _Seen) -> dict[str, Any]:
    """Return what the sample has shown, by field of ``Preflight``."""
    return {
        "tried": seen.tried,
        "reasons": tuple(seen.reasons.most_common()),
        "params": Spread.of([built.costs.params for _, built in seen.built]),
        "flops": Spread.of([built.costs.flops for _, built in seen.built]),
        "memory": Spread.of([built.memory for _, built in seen.built]),
        "epoch_seconds": Spread.of(seen.pace),
        "loss": seen.trained[0].losses[0],
    }


def _build_sample(
    seen: _Seen,
    looking: IsolatedProcess,
    resolved: ResolvedExperiment,
    limits: PreflightBudget,
    started: float,
) -> None:
    """Build architectures and measure what they cost."""
    for number in range(limits.sample):
        if seen.tried and time.monotonic() - started > _LOOKING * limits.seconds:
            break
        seen.tried += 1
        architecture = resolved.space.space.sample(proposal_rng(resolved.plan.seed, number))
        built = _asked(looking, seen, "build", architecture)
        if isinstance(built, Built):
            seen.built.append((architecture, built))
    if not seen.built:
        raise SpaceError(f"none of {seen.tried} sampled architectures can be built: {_most(seen)}")


def _train_some(seen: _Seen, looking: IsolatedProcess, until: float) -> None:
    """Train architectures for a few steps each, at least one, and time them."""
    tried = 0
    for architecture in _telling_first(seen.built):
        left = until - time.monotonic()
        if left < 0 and (seen.trained or seen.deaths >= _DEATHS):
            break
        tried += 1
        trained = _asked(looking, seen, "train", architecture, left)
        if isinstance(trained, Trained):
            seen.trained.append(trained)
    if not seen.trained:
        raise SpaceError(f"none of {tried} sampled architectures can be trained: {_most(seen)}")


def _asked(looking: IsolatedProcess, seen: _Seen, method: str, *arguments: Any) -> Any:
    """Return what a look shows; count why it fails, if it does."""
    try:
        found = looking.ask((method, arguments), _PATIENCE)
    except RaynasError as error:  # the process died of it
        found = str(error)
        seen.deaths += 1
    if isinstance(found, str):
        seen.reasons[found] += 1
    return found


def _telling_first(built: Sequence[tuple[Architecture, Built]]) -> Iterator[Architecture]:
    """Yield architectures: those of median, least and most FLOPs, then the others as drawn."""
    ranked = [one for one, _ in sorted(built, key=lambda pair: pair[1].costs.flops)]
    first = ranked[len(ranked) // 2], ranked[0], ranked[-1]
    yield from dict.fromkeys((*first, *(one for one, _ in built)))


def _fitting(experiment: Experiment, gpus: int) -> int:
    """Return how many trials fit on this machine at once."""
    room = [float(experiment.max_concurrent or math.inf)]
    if experiment.cpus_per_trial:
        room.append((os.cpu_count() or 1) / experiment.cpus_per_trial)
    if gpus:
        room.append(gpus / _gpus(experiment))
    return max(1, int(min(room)))


def _gpus(experiment: Experiment) -> float:
    """Return the GPUs of a trial, where there are any."""
    share = experiment.gpus_per_trial
    return share if isinstance(share, float | int) and share else 1.0


def _most(seen: _Seen) -> str:
    return "; ".join(reason for reason, _ in seen.reasons.most_common(3))


def _called(reference: Any) -> str:
    return reference if isinstance(reference, str) else repr(reference)
