"""Builds, measures and trains single networks for a few steps, on a few examples."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np

from raynas.costs import Costs
from raynas.data import Data, LoopData, Split
from raynas.data.dataset import length
from raynas.errors import RaynasError
from raynas.execution.step_memory import step_bytes
from raynas.execution.training_context import TRAINING, Parts, TrainingContext, begin
from raynas.execution.trial_spec import TrialSpec
from raynas.rng import training_seed
from raynas.space import Architecture
from raynas.training.recipe import Recipe

if TYPE_CHECKING:
    from raynas.execution.ray_tune.packing_code import Packed
    from raynas.experiment.resolve.resolved import ResolvedExperiment
    from raynas.training.learner import Learner

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
        seconds: The estimated time of an epoch on all examples, including the validation; none if
            the number of examples is unknown.
        losses: The loss of each step; with a task's own loop, its first metric.
    """

    seconds: float | None
    losses: tuple[float, ...]


@dataclass(slots=True)
class NetworkProbe:
    """Builds and trains networks for a test, in another process, which they may crash.

    Attributes:
        packed: The function that builds a network, the task's data with a part of the examples,
            and its own loop, packed.
        recipe: The training recipe.
        threads: The CPU threads of a trial.
        gpu: Whether a trial uses a GPU if the machine has one.
        lengths: The number of all training examples and of all validation examples, or of their
            batches if the data come in batches; none for what is unknown.
        seed: The training seed.
        epochs: The full length of a trial.
    """

    packed: Packed
    recipe: Recipe
    threads: int
    gpu: bool
    lengths: tuple[int | None, int | None]
    seed: int
    epochs: int
    _context: TrainingContext | None = field(init=False, default=None)

    @classmethod
    def of(cls, resolved: ResolvedExperiment) -> NetworkProbe:
        """Return the probe for an experiment."""
        from raynas.execution.ray_tune.packing_code import Packed  # noqa: PLC0415 - loads Ray

        data = resolved.data
        part = _part(data, resolved.recipe.batch_size)
        return cls(
            packed=Packed.of((resolved.build, part, resolved.loop), *resolved.homes),
            recipe=resolved.recipe,
            threads=max(1, int(resolved.experiment.cpus_per_trial)),
            gpu=resolved.experiment.gpus_per_trial != 0,
            lengths=_lengths(data),
            seed=training_seed(resolved.plan.seed, 0),
            epochs=resolved.epochs,
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

        gpus = torch.cuda.device_count() if self.gpu else 0
        build, data, loop = self.packed.unpacked()
        device = "cuda" if gpus else "cpu"
        self._context = TrainingContext(build, self.recipe, data, device, self.threads, loop)
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
        recipe = self.context.recipe.with_overrides(architecture.under(TRAINING))
        return Built(costs, step_bytes(training.child, self.context.data, recipe.batch_size))

    def _train(self, architecture: Architecture, until: float) -> Trained:
        """Estimate the time of an epoch on all examples from a few steps.

        With a task's own loop, the first epoch is trained and is the estimate.
        """
        from raynas.training.scores import evaluate  # noqa: PLC0415 - deciding must not load torch

        training, _ = self._begin(architecture)
        with closing(training):
            if self.context.loop:
                epoch = training.step()
                return Trained(epoch.seconds, tuple(epoch.metrics.values())[:1])
            valid = self.context.examples("valid")
            steps: list[float] = []
            scorings: list[float] = []
            losses: list[float] = []
            tries = min(_TRIES, self.epochs)
            while len(steps) < tries and not (steps and time.monotonic() > until):
                epoch = training.step()
                steps.append(epoch.seconds)
                losses.append(epoch.metrics["train_loss"])
                before = time.perf_counter()
                evaluate(training.child, valid)
                scorings.append(time.perf_counter() - before)
        return Trained(self._epoch(architecture, min(steps), min(scorings)), tuple(losses))

    def _epoch(self, architecture: Architecture, step: float, scoring: float) -> float | None:
        """Return the time of an epoch on all examples; none if their number is unknown.

        Args:
            architecture: The network.
            step: The seconds of an epoch of one step.
            scoring: The seconds of scoring the validation examples that are here.
        """
        train, valid = self.lengths
        if train is None or valid is None:
            return None
        scored = length(self._data.valid) or 1
        return step * train / len(self._step(architecture)) + scoring * valid / scored

    def _step(self, architecture: Architecture) -> Any:
        """Return the examples of one step."""
        recipe = self.context.recipe.with_overrides(architecture.under(TRAINING))
        return _first(self._data.train, _count(self._data, recipe.batch_size, recipe.batch_size))

    @property
    def _data(self) -> Any:
        return self.context.data

    def _begin(self, architecture: Architecture) -> tuple[Learner, Costs]:
        """Build an architecture and prepare its training with the examples of one step."""
        context = self.context
        parts = Parts() if context.loop else Parts(context.batches(self._step(architecture)))
        spec = TrialSpec(0, dict(architecture), self.epochs, self.seed, checkpoint="")
        return begin(context, spec, parts)

    @property
    def context(self) -> TrainingContext:
        """The context in which networks are built and trained, as in a worker."""
        if self._context is None:  # this is a new process, because the previous one died
            self.gpus()
        return self._context  # type: ignore[return-value]  # ``gpus`` has set it


def _part(data: Data | LoopData, batch_size: int) -> Data | LoopData:
    """Return the data with a part of the examples."""
    if isinstance(data, LoopData):
        return data
    return replace(
        data,
        train=_first(data.train, _count(data, _BATCHES * batch_size, batch_size)),
        valid=_first(data.valid, _count(data, _SCORED, batch_size)),
        test=_first(data.test, 1),
    )


def _count(data: Data, examples: int, batch_size: int) -> int:
    """Return how many items of a part contain a number of examples."""
    return math.ceil(examples / batch_size) if data.batched else examples


def _lengths(data: Data | LoopData) -> tuple[int | None, int | None]:
    if isinstance(data, LoopData):
        return None, None
    return length(data.train), length(data.valid)


def _first(part: Any, count: int) -> Any:
    """Return the first examples of a part of the data."""
    known = length(part)
    if isinstance(part, Split):
        return part.take(np.arange(min(count, len(part))))
    return First(part, count if known is None else min(count, known))


@dataclass(slots=True)
class First:
    """The first examples of a data set; those of a stream are read once."""

    part: Any
    count: int
    _read: list[Any] = field(init=False, repr=False, default_factory=list)

    def __len__(self) -> int:
        return self.count if self._numbered else len(self._stream())

    def __getitem__(self, at: int) -> Any:
        if not 0 <= at < len(self):
            raise IndexError(at)
        return self.part[at] if self._numbered else self._stream()[at]

    @property
    def _numbered(self) -> bool:
        return hasattr(self.part, "__getitem__") and length(self.part) is not None

    def _stream(self) -> list[Any]:
        if not self._read:
            self._read = [*islice(self.part, self.count)]
        return self._read


def _or_why(look: Callable[[], T]) -> T | str:
    """Return the measurements, or why they failed; the same errors make a trial fail."""
    try:
        return look()
    except RaynasError as error:
        return str(error)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a user's code may raise anything
        return " ".join(f"{type(error).__name__}: {error}".split())
