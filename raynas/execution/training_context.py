"""What all trials of a run share in a worker, and how the training of a trial begins.

This module can be imported without torch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from raynas import costs
from raynas.data import Data, Division, Loop, LoopData, check_divisible
from raynas.errors import DataError, TrialError
from raynas.execution.constraint_check import UNCONSTRAINED, ConstraintCheck
from raynas.execution.trial_spec import ONCE, Repeats, TrialSpec
from raynas.rng import seed_weights
from raynas.space import Architecture
from raynas.training.memory import memory_fails
from raynas.training.recipe import Recipe

if TYPE_CHECKING:
    from torch import nn

    from raynas.training.batches import Batches
    from raynas.training.learner import Learner
    from raynas.training.loop_context import LoopContext

TRAINING = "training"  # decisions below this name are fields of the recipe


@dataclass(frozen=True, slots=True)
class TrainingContext:
    """What all trials of a run share.

    Attributes:
        build: Makes the child of an architecture.
        recipe: How children are trained.
        data: The data of training and validation.
        device: ``cpu`` or ``cuda``.
        threads: The number of CPU threads; several workers share the cores.
        loop: The task's own training loop; none for the loop of raynas.
        repeats: How often a trial trains its architecture, on which divisions of the data.
        check: Decides whether a network is trained.
    """

    build: Callable[[Architecture], nn.Module]
    recipe: Recipe
    data: Data | LoopData
    device: str
    threads: int = 1
    loop: Loop | None = None
    repeats: Repeats = ONCE
    check: ConstraintCheck = UNCONSTRAINED
    _on_device: dict[str, Batches] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )
    _divided: dict[Division, TrainingContext] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def examples(self, split: str) -> Batches:
        """Return ``train`` or ``valid`` on the device; it is copied once for all trials."""
        if split not in self._on_device:
            self._on_device[split] = self.batches_named(split)
        return self._on_device[split]

    def divided(self, division: Division) -> TrainingContext:
        """Return the same context for another division of the data.

        The last divisions are kept, because the next trials use them too.

        Raises:
            ConfigError: The data cannot be divided in this way.
        """
        if division.own:
            return self
        if division not in self._divided:
            while len(self._divided) > self.repeats.folds:
                del self._divided[next(iter(self._divided))]
            check_divisible(self.data, division.folds)
            data: Any = self.data
            self._divided[division] = replace(self, data=division.of(data, self.repeats.seed))
        return self._divided[division]

    def batches_named(self, name: str) -> Batches:
        """Return ``train``, ``valid``, ``test`` or ``merged`` in batches on the device.

        Raises:
            DataError: The task's loop has data of its own.
        """
        if isinstance(self.data, LoopData):
            raise DataError(
                "LoopData has no batches: the loop finds what it needs in context.data.content"
            )
        part = self.data.merged() if name == "merged" else getattr(self.data, name)
        return self.batches(part)

    def batches(self, part: Any) -> Batches:
        """Return the batches of a part of the data on the device."""
        import torch  # noqa: PLC0415 - see the module's docstring

        from raynas.training.loading import batches_of  # noqa: PLC0415

        workers = self.threads - 1 if self.device == "cuda" else 0
        size = self.recipe.batch_size
        data: Any = self.data  # LoopData has no parts
        return batches_of(part, data, torch.device(self.device), size, workers)


def learner_of(context: TrainingContext, spec: TrialSpec) -> tuple[Learner, costs.Costs]:
    """Return the training of a trial, and the costs of its network.

    With folds or seeds, it is the training of several children of the architecture.

    Raises:
        TrialError: As for ``begin``.
        ConfigError: As for ``begin``, or the data cannot be divided into folds.
    """
    from raynas.training.averaged import Averaged  # noqa: PLC0415 - see the module's docstring
    from raynas.training.in_turn import InTurn  # noqa: PLC0415

    repeats = context.repeats
    if repeats.final:
        return _final(context, spec)

    def begun(number: int) -> tuple[Learner, costs.Costs]:
        division, seed = repeats.one(spec, number)
        own = context.divided(division)
        parts = Parts()
        if not context.loop:
            parts = Parts(own.examples("train"), own.examples("valid"))
        return begin(own, replace(spec, seed=seed, epochs=repeats.epochs or spec.epochs), parts)

    first, measured = begun(0)
    if repeats.epochs:
        return InTurn(first, lambda n: begun(n)[0], repeats.epochs, repeats.folds), measured
    others = [begun(number)[0] for number in range(1, repeats.count)]
    return (Averaged([first, *others], repeats.folds) if others else first), measured


def _final(context: TrainingContext, spec: TrialSpec) -> tuple[Learner, costs.Costs]:
    """Return a training on training and validation data, or on all of their folds but one."""
    from raynas.training.final import FinalTraining  # noqa: PLC0415 - see the module's docstring

    folds = context.repeats.folds
    own = context.divided(Division(0, spec.division, folds)) if folds > 1 else context
    parts, held_out = Parts(), None
    if not context.loop:
        parts = Parts(own.examples("train") if folds > 1 else own.batches_named("merged"))
        held_out = partial(own.batches_named, "valid") if folds > 1 else None
    learner, measured = begin(own, spec, parts, final=True)
    lengths = spec.epochs, spec.until or spec.epochs
    return FinalTraining(learner, lengths, partial(own.batches_named, "test"), held_out), measured


@dataclass(frozen=True, slots=True)
class Parts:
    """What a child is trained and scored on; nothing if the task has its own loop.

    Attributes:
        train: The examples of training.
        valid: The examples of validation; none if the child is not scored after an epoch.
    """

    train: Any = None
    valid: Batches | None = None


def begin(
    context: TrainingContext, spec: TrialSpec, parts: Parts, *, final: bool = False
) -> tuple[Learner, costs.Costs]:
    """Build the child of a trial, prepare its training, and measure its costs.

    If this process has joined a process group of torch, all of its processes train together.

    Args:
        context: What all trials share.
        spec: The trial.
        parts: What the child is trained and scored on.
        final: Whether it is the winner's training.

    Raises:
        TrialError: The child cannot be built, memory ran out, or no epoch is left to train.
        ConfigError: The architecture has an unusable training recipe.
    """
    import torch  # noqa: PLC0415 - see the module's docstring

    from raynas.training.child import built  # noqa: PLC0415
    from raynas.training.loading import example  # noqa: PLC0415
    from raynas.training.loop import OwnLoop  # noqa: PLC0415
    from raynas.training.peers import Peers  # noqa: PLC0415
    from raynas.training.train import Training  # noqa: PLC0415

    if not 0 <= spec.begin < spec.epochs:
        raise TrialError(
            f"0 <= begin < epochs must hold: got begin={spec.begin}, epochs={spec.epochs}"
        )
    torch.set_num_threads(context.threads)
    architecture = Architecture.from_data(spec.architecture)
    recipe = context.recipe.with_overrides(architecture.under(TRAINING))
    peers = Peers.here()
    if isinstance(context.data, Data) and not (context.loop or context.data.batched):
        recipe.check_workers(peers.count)
    inputs = partial(example, context.data)
    seed_weights(spec.seed)
    with memory_fails():
        child = built(context.build, architecture, partial(inputs, 2))
        measured = costs.measure(child, inputs(1))
    if context.loop:
        told = _told(context, spec, architecture, recipe, final=final)
        return OwnLoop(child, context.loop, told), measured
    training = Training(
        child,
        parts.train,
        recipe,
        epochs=spec.epochs,
        seed=spec.seed,
        valid=parts.valid,
        peers=peers,
    )
    training.epoch = spec.begin
    return training, measured


def _told(
    context: TrainingContext,
    spec: TrialSpec,
    architecture: Architecture,
    recipe: Recipe,
    *,
    final: bool,
) -> LoopContext:
    """Return what a training loop of a user's own is told of its trial."""
    import torch  # noqa: PLC0415 - see the module's docstring

    from raynas.training.loop_context import LoopContext  # noqa: PLC0415
    from raynas.training.peers import Peers  # noqa: PLC0415

    return LoopContext(
        architecture=architecture,
        recipe=recipe,
        data=context.data,
        device=torch.device(context.device),
        seed=spec.seed,
        last_epoch=spec.epochs,
        batches=context.batches_named,
        final=final,
        epoch=spec.begin,
        together=Peers.here(),
    )
