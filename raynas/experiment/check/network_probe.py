"""Builds, measures and trains single networks for a few steps, on a few examples."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np

from raynas.costs import Costs, training_bytes
from raynas.data import Data, Split
from raynas.errors import RaynasError
from raynas.execution.worker import TRAINING, TrainingContext, TrialSpec, begin
from raynas.rng import training_seed
from raynas.space import Architecture
from raynas.training.recipe import Recipe

if TYPE_CHECKING:
    from raynas.experiment.experiment import Experiment
    from raynas.experiment.resolve.resolved import ResolvedExperiment
    from raynas.training.train import Training

T = TypeVar("T")

_TRIES: Final = 3  # steps to time for an architecture; the fastest counts
_SCORED: Final = 200  # the most validation examples to time the validation with
_BATCHES: Final = 4  # batches of training examples to send; architectures may set the batch size


@dataclass(frozen=True, slots=True)
class Built:
    """The measurements of a network without training.

    Attributes:
        costs: The number of parameters and of multiply-adds.
        memory: The memory of a training step, in bytes.
    """

    costs: Costs
    memory: int


@dataclass(frozen=True, slots=True)
class Trained:
    """The measurements of a few training steps.

    Attributes:
        seconds: The estimated time of an epoch on all examples, including the validation.
        losses: The loss of each step, in nats.
    """

    seconds: float
    losses: tuple[float, ...]


@dataclass(slots=True)
class NetworkProbe:
    """Builds and trains networks for a test, in another process, which they may crash.

    Attributes:
        packed: The function that builds a network, pickled.
        recipe: The training recipe.
        threads: The CPU threads of a trial.
        gpu: Whether a trial uses a GPU if the machine has one.
        data: The task's data, with a part of the examples.
        lengths: The number of all training examples and of all validation examples.
        seed: The training seed.
        epochs: The full length of a trial.
    """

    packed: bytes
    recipe: Recipe
    threads: int
    gpu: bool
    data: Data
    lengths: tuple[int, int]
    seed: int
    epochs: int
    _context: TrainingContext | None = field(init=False, default=None)

    @classmethod
    def of(cls, experiment: Experiment, resolved: ResolvedExperiment) -> NetworkProbe:
        """Return the probe for an experiment."""
        from raynas.execution.ray_tune.packing_code import pack  # noqa: PLC0415 - loads Ray

        build = partial(resolved.space.build, **experiment.space_options)
        data, size = resolved.data, resolved.recipe.batch_size
        return cls(
            packed=pack(build, resolved.space.home),
            recipe=resolved.recipe,
            threads=max(1, int(experiment.cpus_per_trial)),
            gpu=experiment.gpus_per_trial != 0,
            data=replace(
                data,
                train=_first(data.train, _BATCHES * size),
                valid=_first(data.valid, _SCORED),
                test=_first(data.test, 1),
            ),
            lengths=(len(data.train), len(data.valid)),
            seed=training_seed(resolved.plan.seed, 0),
            epochs=resolved.plan.epochs,
        )

    def __call__(self, question: tuple[str, Any]) -> Any:
        """Call a method and return its result; this runs in the other process.

        Args:
            question: The name of the method, and its arguments.
        """
        method, arguments = question
        return getattr(self, method)(*arguments)

    def gpus(self) -> int:
        """Import torch and the user's code; return the number of GPUs for trials."""
        import torch  # noqa: PLC0415 - deciding must not load torch
        from ray import cloudpickle  # noqa: PLC0415 - nor Ray, before the view is shown

        gpus = torch.cuda.device_count() if self.gpu else 0
        build = cloudpickle.loads(self.packed)
        device = "cuda" if gpus else "cpu"
        self._context = TrainingContext(build, self.recipe, self.data, device, self.threads)
        return gpus

    def build(self, architecture: Architecture) -> Built | str:
        """Build a network as a worker does; return its measurements, or why it failed."""
        return _or_why(partial(self._build, architecture))

    def train(self, architecture: Architecture, seconds: float) -> Trained | str:
        """Train a network for a few steps; return the measurements, or why it failed.

        Args:
            architecture: The network.
            seconds: The time after which no further step begins.
        """
        return _or_why(partial(self._train, architecture, time.monotonic() + seconds))

    def failures(self, sample: Sequence[Architecture], train: bool) -> list[str]:  # noqa: FBT001 - travels
        """Return why each network fails; an empty list as soon as one can be trained.

        Args:
            sample: The networks.
            train: Whether to train them on this machine as well as build them. If trials use a
                GPU, networks are only built, on the CPU, because the trials need the GPU.
        """
        if self.gpus():
            train, self._context = False, replace(self.context, device="cpu")
        reasons: list[str] = []
        for architecture in sample:
            seen: Built | Trained | str = self.build(architecture)
            if train and not isinstance(seen, str):
                seen = self.train(architecture, 0.0)
            if not isinstance(seen, str):
                return []
            reasons.append(seen)
        return reasons

    def _build(self, architecture: Architecture) -> Built:
        training, costs = self._begin(architecture)
        size, data = training.recipe.batch_size, self.data
        return Built(
            costs, training_bytes(training.child, data.input_shape, size, data.input_dtype)
        )

    def _train(self, architecture: Architecture, until: float) -> Trained:
        """Estimate the time of an epoch on all examples from a few steps."""
        import torch  # noqa: PLC0415 - deciding must not load torch

        from raynas.training.examples import Examples  # noqa: PLC0415
        from raynas.training.train import evaluate  # noqa: PLC0415

        training, _ = self._begin(architecture)
        valid = Examples.of(self.data.valid, self.data, torch.device(self.context.device))
        steps: list[float] = []
        scorings: list[float] = []
        losses: list[float] = []
        tries = min(_TRIES, training.epochs)
        while len(steps) < tries and not (steps and time.monotonic() > until):
            epoch = training.step()
            steps.append(epoch.seconds)
            losses.append(epoch.metrics["train_loss"])
            before = time.perf_counter()
            evaluate(training.child, valid)
            scorings.append(time.perf_counter() - before)
        learning = min(steps) * self.lengths[0] / len(training.examples)
        return Trained(learning + min(scorings) * self.lengths[1] / len(valid), tuple(losses))

    def _begin(self, architecture: Architecture) -> tuple[Training, Costs]:
        """Build an architecture and prepare its training with the examples of one step."""
        import torch  # noqa: PLC0415 - deciding must not load torch

        from raynas.training.examples import Examples  # noqa: PLC0415

        context = self.context
        recipe = context.recipe.with_overrides(architecture.under(TRAINING))
        step = _first(self.data.train, recipe.batch_size)
        examples = Examples.of(step, self.data, torch.device(context.device))
        spec = TrialSpec(0, dict(architecture), self.epochs, self.seed, checkpoint="")
        return begin(context, spec, examples)

    @property
    def context(self) -> TrainingContext:
        """The context in which networks are built and trained, as in a worker."""
        if self._context is None:  # this is a new process, because the previous one died
            self.gpus()
        return self._context  # type: ignore[return-value]  # ``gpus`` has set it


def _first(split: Split, count: int) -> Split:
    return split.take(np.arange(min(count, len(split))))


def _or_why(look: Callable[[], T]) -> T | str:
    """Return the measurements, or why they failed; the same errors make a trial fail."""
    try:
        return look()
    except RaynasError as error:
        return str(error)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a user's code may raise anything
        return " ".join(f"{type(error).__name__}: {error}".split())
