"""Check a search before it starts: build and train sampled architectures on this machine."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from raynas.data import Data, LoopData
from raynas.data.dataset import length
from raynas.errors import ConfigError, RaynasError, SpaceError
from raynas.execution.gpu_device import smallest_device
from raynas.experiment.check.at_once import at_once
from raynas.experiment.check.forecast import forecast
from raynas.experiment.check.network_probe import Built, NetworkProbe, Trained
from raynas.experiment.experiment import Experiment
from raynas.experiment.resolve.machine import check_machine
from raynas.experiment.resolve.resolved import ResolvedExperiment, resolve
from raynas.insight.text.preflight import Forecast, Preflight, Spread
from raynas.rng import proposal_rng
from raynas.space import Architecture

if TYPE_CHECKING:
    from raynas.execution.ray_tune.isolated_process import IsolatedProcess

_LOOKING: Final = 0.5  # fraction of the time for building; the rest is for training
_PATIENCE: Final = 120.0  # seconds for one network on a busy machine, including importing torch
_DEATHS: Final = 3  # after so many deaths of the process, the time limit holds without exception


@dataclass(frozen=True, slots=True)
class PreflightBudget:
    """The limits of a check; it ends when it reaches one of them.

    Attributes:
        sample: The most architectures to build.
        seconds: The time of the check, without imports. An architecture that has begun before
            then is finished.

    Raises:
        ConfigError: ``sample`` is below 1, or ``seconds`` is not above 0.
    """

    sample: int = 100
    seconds: float = 15.0

    def __post_init__(self) -> None:
        """Check both limits."""
        if self.sample < 1 or not self.seconds > 0:
            raise ConfigError(
                "a check needs a sample of at least 1 and a time limit above 0 seconds: "
                f"got {self.sample} and {self.seconds}"
            )


@dataclass(slots=True)
class _Seen:
    """The results of the check so far, which began when the process was ready."""

    gpus: int  # of this machine
    begun: float = field(default_factory=time.monotonic)
    built: list[tuple[Architecture, Built]] = field(default_factory=list)
    trained: list[Trained] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    tried: int = 0
    deaths: int = 0

    @property
    def pace(self) -> list[float]:
        """The time of an epoch of each trained architecture, in seconds, where it is known."""
        return [one.seconds for one in self.trained if one.seconds is not None]


def preflight(
    experiment: Experiment, limits: PreflightBudget | None = None, workers: int | None = None
) -> Preflight:
    """Build and train a random sample of the architectures of a search.

    First the architectures are built and measured. Then some of them are trained for a few steps
    on this machine, first those with the median, the fewest and the most FLOPs.

    Args:
        experiment: The search.
        limits: The limits of the check.
        workers: The number of trials that run at once; none for as many as the search would run on
            this machine.

    Raises:
        ConfigError: A part of the experiment does not exist or has an invalid value.
        DataError: The data are missing.
        ResourceError: This machine does not have enough for a trial.
        SpaceError: No architecture could be built, or none could be trained.
    """
    limits = limits or PreflightBudget()
    if workers is not None and workers < 1:
        raise ConfigError(f"workers must be at least 1, got {workers}")
    resolved = resolve(experiment)
    experiment = resolved.experiment
    check_machine(experiment, resolved.space, resolved.workers)
    seen = _seen(resolved, limits)
    return Preflight(
        space=_called(experiment.space),
        size=resolved.space.space.size,
        task=_called(experiment.task),
        examples=_examples(resolved.data),
        brief={name: _shown(value) for name, value in resolved.data.told.items()},
        device="cuda" if seen.gpus else "cpu",
        asked=limits.sample,
        forecast=_forecast(resolved, seen, workers),
        seconds=time.monotonic() - seen.begun,
        **_spreads(seen),
    )


def _seen(resolved: ResolvedExperiment, limits: PreflightBudget) -> _Seen:
    """Build and train a sample in a process of its own.

    Raises:
        SpaceError: As for ``preflight``.
    """
    from raynas.execution.ray_tune.isolated_process import IsolatedProcess  # noqa: PLC0415 - Ray

    with IsolatedProcess(NetworkProbe.of(resolved)) as looking:
        seen = _Seen(looking.ask(("gpus", ())))
        _build_sample(seen, looking, resolved, limits)
        _train_some(seen, looking, seen.begun + limits.seconds)
    return seen


def _forecast(resolved: ResolvedExperiment, seen: _Seen, workers: int | None) -> Forecast | None:
    """Return how long the search would take; none if it is not known how long an epoch takes."""
    device = smallest_device() if seen.gpus else None
    fitting = at_once(resolved, [one for one, _ in seen.built], seen.gpus, device)
    workers, gpus = workers or fitting.trials, fitting.gpus or float(resolved.workers)
    trained = resolved.repeats.epochs or resolved.repeats.count  # epochs in what counts as one
    pace = [trained * seconds for seconds in seen.pace]
    name = _called(resolved.experiment.scheduler)
    return forecast(resolved.plan, name, workers, pace, gpus) if pace else None


def _examples(data: Data | LoopData) -> int | None:
    return None if isinstance(data, LoopData) else length(data.train)


def _shown(value: Any) -> Any:
    """Return a value of a brief for people and for JSON."""
    return value if isinstance(value, int | float | str | list | tuple | dict) else repr(value)


def _spreads(seen: _Seen) -> dict[str, Any]:
    """Return the results of the sample, as fields of ``Preflight``."""
    return {
        "tried": seen.tried,
        "reasons": tuple(seen.reasons.most_common()),
        "params": Spread.of([built.costs.params for _, built in seen.built]),
        "flops": Spread.of([built.costs.flops or 0 for _, built in seen.built]),
        "memory": Spread.of([built.memory for _, built in seen.built]),
        "epoch_seconds": Spread.of(seen.pace) if seen.pace else None,
        "loss": seen.trained[0].losses[0],
    }


def _build_sample(
    seen: _Seen,
    looking: IsolatedProcess,
    resolved: ResolvedExperiment,
    limits: PreflightBudget,
) -> None:
    """Build architectures and measure their costs.

    Raises:
        SpaceError: No architecture could be built.
    """
    for number in range(limits.sample):
        if seen.tried and time.monotonic() - seen.begun > _LOOKING * limits.seconds:
            break
        seen.tried += 1
        architecture = resolved.space.space.sample(proposal_rng(resolved.plan.seed, number))
        built = _asked(looking, seen, "build", architecture)
        if isinstance(built, Built):
            seen.built.append((architecture, built))
    if not seen.built:
        raise SpaceError(f"none of {seen.tried} sampled architectures can be built: {_most(seen)}")


def _train_some(seen: _Seen, looking: IsolatedProcess, until: float) -> None:
    """Train architectures, at least one, for a few steps each, and measure the time.

    Raises:
        SpaceError: No architecture could be trained.
    """
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
    """Return the answer of the other process; if it is a failure, count its reason."""
    try:
        found = looking.ask((method, arguments), _PATIENCE)
    except RaynasError as error:  # the process died or was too slow
        found = str(error)
        seen.deaths += 1
    if isinstance(found, str):
        seen.reasons[found] += 1
    return found


def _telling_first(built: Sequence[tuple[Architecture, Built]]) -> Iterator[Architecture]:
    """Yield the architectures: those with the median, the fewest and the most FLOPs first."""
    ranked = [one for one, _ in sorted(built, key=lambda pair: pair[1].costs.flops or 0)]
    first = ranked[len(ranked) // 2], ranked[0], ranked[-1]
    yield from dict.fromkeys((*first, *(one for one, _ in built)))


def _most(seen: _Seen) -> str:
    return "; ".join(reason for reason, _ in seen.reasons.most_common(3))


def _called(reference: Any) -> str:
    return reference if isinstance(reference, str) else repr(reference)
