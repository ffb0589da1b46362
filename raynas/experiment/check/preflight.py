"""A look at a search before it is launched: sampled architectures, built and tried here."""

from __future__ import annotations

import math
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from raynas.costs import Costs, training_bytes
from raynas.data import Split
from raynas.errors import ConfigError, RaynasError, SpaceError
from raynas.execution.worker import TRAINING, TrainingContext, TrialSpec, begin
from raynas.experiment.check.forecast import forecast
from raynas.experiment.experiment import Experiment
from raynas.experiment.resolve.machine import check_machine, gpus_here
from raynas.experiment.resolve.resolved import ResolvedExperiment, resolve
from raynas.insight.preflight import Preflight, Spread
from raynas.rng import proposal_rng, training_seed
from raynas.space import Architecture

if TYPE_CHECKING:
    from raynas.training.train import Training

_LOOKING: Final = 0.5  # share of the time for building; the rest is for training
_TRIES: Final = 3  # steps by which an architecture is timed; the fastest counts
_SCORED: Final = 200  # validation examples, at most, by which scoring is timed


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
class _Look:
    """What was seen of the sample so far."""

    costs: list[tuple[Architecture, Costs]] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)
    pace: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    tried: int = 0


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
    import torch  # noqa: PLC0415 - deciding must not load torch

    limits = limits or PreflightBudget()
    resolved = resolve(experiment)
    check_machine(experiment, resolved.space)
    device = "cuda" if torch.cuda.is_available() and experiment.gpus_per_trial != 0 else "cpu"
    workers = workers or _fitting(experiment, gpus_here() if device == "cuda" else 0)
    build = partial(resolved.space.build, **experiment.space_options)
    context = TrainingContext(build, resolved.recipe, resolved.data, device)
    look = _Look()
    started = time.monotonic()
    with _threads(experiment.cpus_per_trial):
        _look_at_sample(look, context, resolved, limits, started)
        _train_some(look, context, resolved, started + limits.seconds)
    name, gpus = _called(experiment.scheduler), _gpus(experiment)
    cast = forecast(resolved.plan, name, workers, look.pace, gpus)
    return Preflight(
        space=_called(experiment.space),
        size=resolved.space.space.size,
        task=_called(experiment.task),
        examples=len(resolved.data.train),
        input_shape=resolved.data.input_shape,
        classes=resolved.data.classes,
        device=device,
        asked=limits.sample,
        forecast=cast,
        seconds=time.monotonic() - started,
        **_spreads(look),
    )


def _spreads(look: _Look) -> dict[str, Any]:
    """Return what the sample has shown, by field of ``Preflight``."""
    return {
        "tried": look.tried,
        "reasons": tuple(look.reasons.most_common()),
        "params": Spread.of([costs.params for _, costs in look.costs]),
        "flops": Spread.of([costs.flops for _, costs in look.costs]),
        "memory": Spread.of(look.memory),
        "epoch_seconds": Spread.of(look.pace),
        "loss": look.losses[0],
    }


def _look_at_sample(
    look: _Look,
    context: TrainingContext,
    resolved: ResolvedExperiment,
    limits: PreflightBudget,
    started: float,
) -> None:
    """Build architectures and measure what they cost."""
    for number in range(limits.sample):
        if look.tried and time.monotonic() - started > _LOOKING * limits.seconds:
            break
        look.tried += 1
        architecture = resolved.space.space.sample(proposal_rng(resolved.plan.seed, number))
        with _counted(look.reasons):
            training, costs = _begun(context, resolved, architecture)
            size = training.recipe.batch_size
            data = resolved.data
            taken = training_bytes(training.child, data.input_shape, size, data.input_dtype)
            look.memory.append(taken)
            look.costs.append((architecture, costs))
    if not look.costs:
        raise SpaceError(f"none of {look.tried} sampled architectures can be built: {_most(look)}")


def _train_some(
    look: _Look, context: TrainingContext, resolved: ResolvedExperiment, until: float
) -> None:
    """Train architectures for a few steps each, at least one, and time them."""
    tried = 0
    for architecture in _telling_first(look.costs):
        if look.pace and time.monotonic() > until:
            break
        tried += 1
        with _counted(look.reasons):
            training, _ = _begun(context, resolved, architecture)
            seconds = _epoch_seconds(look, training, resolved, until)
            look.pace.append(seconds)
    if not look.pace:
        raise SpaceError(f"none of {tried} sampled architectures can be trained: {_most(look)}")


def _begun(
    context: TrainingContext, resolved: ResolvedExperiment, architecture: Architecture
) -> tuple[Training, Costs]:
    """Build an architecture as a worker does, to be trained on one step's worth of examples."""
    import torch  # noqa: PLC0415 - deciding must not load torch

    from raynas.training.examples import Examples  # noqa: PLC0415

    recipe = context.recipe.with_overrides(architecture.under(TRAINING))
    examples = Examples.of(
        _first(resolved.data.train, recipe.batch_size), resolved.data, torch.device(context.device)
    )
    seed = training_seed(resolved.plan.seed, 0)
    spec = TrialSpec(0, dict(architecture), resolved.plan.epochs, seed, checkpoint="")
    return begin(context, spec, examples)


def _epoch_seconds(
    look: _Look, training: Training, resolved: ResolvedExperiment, until: float
) -> float:
    """Return the time of an epoch on all examples, from a few steps."""
    from raynas.training.examples import Examples  # noqa: PLC0415
    from raynas.training.train import evaluate  # noqa: PLC0415

    device = training.examples.inputs.device
    valid = Examples.of(_first(resolved.data.valid, _SCORED), resolved.data, device)
    steps: list[float] = []
    scorings: list[float] = []
    while len(steps) < min(_TRIES, training.epochs) and not (steps and time.monotonic() > until):
        epoch = training.step()
        steps.append(epoch.seconds)
        look.losses.append(epoch.metrics["train_loss"])
        before = time.perf_counter()
        evaluate(training.child, valid)
        scorings.append(time.perf_counter() - before)
    learning = min(steps) * len(resolved.data.train) / len(training.examples)
    return learning + min(scorings) * len(resolved.data.valid) / len(valid)


def _first(split: Split, count: int) -> Split:
    return split.take(np.arange(min(count, len(split))))


def _telling_first(costs: Sequence[tuple[Architecture, Costs]]) -> Iterator[Architecture]:
    """Yield architectures: those of median, least and most FLOPs, then the others as drawn."""
    ranked = [one for one, _ in sorted(costs, key=lambda pair: pair[1].flops)]
    first = ranked[len(ranked) // 2], ranked[0], ranked[-1]
    yield from dict.fromkeys((*first, *(one for one, _ in costs)))


@contextmanager
def _counted(reasons: Counter[str]) -> Iterator[None]:
    """Count whatever a child raises, as a worker makes it a failed trial."""
    try:
        yield
    except RaynasError as error:
        reasons[str(error)] += 1
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a user's code may raise anything
        reasons[" ".join(f"{type(error).__name__}: {error}".split())] += 1


@contextmanager
def _threads(cpus: float) -> Iterator[None]:
    """Compute on as many threads as a trial will have."""
    import torch  # noqa: PLC0415 - deciding must not load torch

    before = torch.get_num_threads()
    torch.set_num_threads(max(1, int(cpus)))
    try:
        yield
    finally:
        torch.set_num_threads(before)


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


def _most(look: _Look) -> str:
    return "; ".join(reason for reason, _ in look.reasons.most_common(3))


def _called(reference: Any) -> str:
    return reference if isinstance(reference, str) else repr(reference)
