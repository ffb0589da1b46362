"""A worker's part of a trial: build the child, train it epoch by epoch, write checkpoints.

This module does not use Ray, and loads torch only when the first trial begins. So all workers are
ready at about the same time; otherwise the first worker would get all short trials.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raynas import costs
from raynas.data import Data, Division, Loop, LoopData, check_divisible
from raynas.errors import (
    CheckpointError,
    DataError,
    RaynasError,
    StorageError,
    TrialError,
    TrialMemoryError,
)
from raynas.execution.checkpoint_file import read, save
from raynas.execution.retries import place
from raynas.rng import seed_weights, training_seed
from raynas.space import Architecture
from raynas.training.memory import begin_peak, memory_fails, peak
from raynas.training.recipe import Recipe
from raynas.training.torch_globals import torch_globals_kept
from raynas.trial import Failed, Report

if TYPE_CHECKING:
    from torch import nn

    from raynas.training.batches import Batches
    from raynas.training.learner import Learner

TRAINING = "training"  # decisions below this name are fields of the recipe


@dataclass(frozen=True, slots=True)
class TrialSpec:
    """The description of a trial for a worker; plain data, because it is sent to other nodes.

    Attributes:
        number: The trial's number.
        architecture: The values by decision path.
        epochs: The largest number of epochs.
        seed: The training seed.
        checkpoint: The file to continue from, if it exists, and to write checkpoints to.
        parent: The checkpoint of another trial, whose weights are inherited, as far as they fit,
            before the first epoch; it is only read. Empty for no parent.
        begin: Epochs that count as trained already: the first report is of the next epoch, and
            the learning rate continues from there.
        keep: Whether to write a checkpoint also after the last epoch, for others to inherit.
        reported: The last epoch that is in the journal; 0 if the trial begins.
        division: The number of the division into training and validation data; 0 for the task's.
        until: The epoch after which the winner's training ends, if its trial had its best one
            before ``epochs``, by which the learning rate goes; 0 for ``epochs``.
        confirmed: Where in the code errors of networks are raised, as ``retries.place`` says it.
    """

    number: int
    architecture: Mapping[str, Any]
    epochs: int
    seed: int
    checkpoint: str
    parent: str = ""
    begin: int = 0
    keep: bool = False
    reported: int = 0
    division: int = 0
    until: int = 0
    confirmed: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Repeats:
    """How often a trial trains its architecture; its score is the mean.

    Attributes:
        folds: How many divisions of training and validation data there are, so that every example
            is in the validation data of one of them; 1 for the task's own division only.
        seeds: How many trainings there are on each division, with different training seeds.
        seed: The run's seed, by which data are divided.
        epochs: The length of each training if they follow one another, and what counts as an epoch
            of the trial is one of them; 0 if they go side by side.
    """

    folds: int = 1
    seeds: int = 1
    seed: int = 0
    epochs: int = 0

    @property
    def count(self) -> int:
        """How many trainings a trial has."""
        return self.folds * self.seeds

    def of(self, spec: TrialSpec) -> Iterator[tuple[Division, int]]:
        """Yield the division and the training seed of each training of a trial."""
        for number in range(self.count):
            yield self.one(spec, number)

    def one(self, spec: TrialSpec, number: int) -> tuple[Division, int]:
        """Return the division and the seed of one training; the first ones have other folds."""
        fold = Division(spec.division, number % self.folds, self.folds)
        return fold, training_seed(spec.seed, number) if number else spec.seed


ONCE = Repeats()
"""One training, on the task's own division."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something about a trial that people should know.

    Attributes:
        number: The trial's number.
        text: A sentence without its subject, which is the trial.
    """

    number: int
    text: str


class UnexplainedFailureError(Exception):
    """A trial failed in a worker that has trained others, one of which may be the cause.

    Attributes:
        failed: The failure.
    """

    def __init__(self, failed: Failed) -> None:
        """Keep the failure."""
        super().__init__(failed)
        self.failed = failed


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
    """

    build: Callable[[Architecture], nn.Module]
    recipe: Recipe
    data: Data | LoopData
    device: str
    threads: int = 1
    loop: Loop | None = None
    repeats: Repeats = ONCE
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


def train(
    context: TrainingContext, spec: TrialSpec, *, used: bool = False
) -> Iterator[Report | Failed | Notice]:
    """Train one trial: a report after every epoch, or a failure at the end.

    Any error of the child ends its trial, not the worker.

    Args:
        context: What all trials share.
        spec: The trial.
        used: Whether this process has trained other networks before.

    Raises:
        StorageError: A checkpoint cannot be written, which ends the run.
        UnexplainedFailureError: The trial failed, and the process, which is ``used``, may be the
            cause: it should not be used any more.
    """
    check_process(spec)
    since = time.perf_counter()
    try:
        with torch_globals_kept(), memory_fails():
            for report in _reports(context, spec):
                yield report
                since = time.perf_counter()  # after the yield, because the caller may take long
    except StorageError:
        raise
    except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001 - a user's code
        failed = replace(failure(spec.number, error), seconds=time.perf_counter() - since)
        yield explained(failed, spec, used=used)


def check_process(spec: TrialSpec) -> None:
    """Check that no loop of an earlier trial still runs in this process.

    Raises:
        UnexplainedFailureError: One does: the process should not be used any more.
    """
    from raynas.training.loop_thread import left_behind  # noqa: PLC0415 - see the docstring above

    if left_behind():
        reason = "the loop of an earlier trial has not ended in this process"
        raise UnexplainedFailureError(Failed(spec.number, reason, cause="circumstances"))


def explained(failed: Failed, spec: TrialSpec, *, used: bool) -> Failed:
    """Return a failure of which the process is not the cause; ``used`` is as in ``train``.

    Raises:
        UnexplainedFailureError: The process may be the cause.
    """
    if used and failed.detail and place(failed) not in spec.confirmed:
        raise UnexplainedFailureError(failed)
    return failed


def failure(number: int, error: BaseException) -> Failed:
    """Return the failure of an error: raynas's own as a sentence, others with a traceback."""
    if isinstance(error, CheckpointError):
        return Failed(number, str(error), cause="circumstances")
    if isinstance(error, RaynasError):
        return Failed(number, str(error), out_of_memory=isinstance(error, TrialMemoryError))
    return Failed(number, f"{type(error).__name__}: {error}", detail=traceback.format_exc())


def _reports(context: TrainingContext, spec: TrialSpec) -> Iterator[Report | Notice]:
    import torch  # noqa: PLC0415 - see the module's docstring

    device = torch.device(context.device)
    begin_peak(device)
    training, measured = learner_of(context, spec)
    facts = measured.known
    checkpoint = Path(spec.checkpoint)
    reports: list[Report] = []
    saved, lacking = read(checkpoint, device)
    if spec.reported and lacking:
        yield Notice(spec.number, f"begins again, because {lacking}")
    if saved:
        training.load_state(saved["training"])
        facts = saved["facts"]
        reports = [Report(spec.number, **report) for report in saved["reports"]]
        yield from reports
    elif spec.parent:
        facts["inherited"] = training.inherit(load(spec.parent))
    with closing(training):
        while training.epoch < spec.epochs:
            epoch = training.step()
            yield from _told(spec, training)
            metrics = {**epoch.metrics, **facts, **peak(device)}
            reports.append(
                Report(spec.number, epoch.epoch, metrics, epoch.seconds, errors=epoch.errors)
            )
            if training.epoch < spec.epochs or spec.keep:
                _save(checkpoint, training, facts, reports)
            yield reports[-1]


def _told(spec: TrialSpec, learner: Learner) -> Iterator[Notice]:
    """Yield the notices of a learner, each once."""
    while learner.notices:
        yield Notice(spec.number, learner.notices.pop(0))


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
    from raynas.training.loop_context import LoopContext  # noqa: PLC0415
    from raynas.training.train import Training  # noqa: PLC0415

    if not 0 <= spec.begin < spec.epochs:
        raise TrialError(
            f"0 <= begin < epochs must hold: got begin={spec.begin}, epochs={spec.epochs}"
        )
    torch.set_num_threads(context.threads)
    architecture = Architecture.from_data(spec.architecture)
    recipe = context.recipe.with_overrides(architecture.under(TRAINING))
    inputs = partial(example, context.data)
    seed_weights(spec.seed)
    with memory_fails():
        child = built(context.build, architecture, partial(inputs, 2))
        measured = costs.measure(child, inputs(1))
    if context.loop:
        told = LoopContext(
            architecture=architecture,
            recipe=recipe,
            data=context.data,
            device=torch.device(context.device),
            seed=spec.seed,
            last_epoch=spec.epochs,
            batches=context.batches_named,
            final=final,
            epoch=spec.begin,
        )
        return OwnLoop(child, context.loop, told), measured
    training = Training(
        child, parts.train, recipe, epochs=spec.epochs, seed=spec.seed, valid=parts.valid
    )
    training.epoch = spec.begin
    return training, measured


def load(path: str) -> Mapping[str, Any]:
    """Return the training state from a checkpoint, on the CPU.

    Raises:
        CheckpointError: The checkpoint cannot be read.
    """
    import torch  # noqa: PLC0415 - see the module's docstring

    saved, lacking = read(Path(path), torch.device("cpu"))
    if lacking:
        raise CheckpointError(f"it needs the weights of another trial, but {lacking}")
    state: Mapping[str, Any] = saved["training"]
    return state


def _save(
    path: Path, training: Learner, facts: Mapping[str, float], reports: list[Report]
) -> None:
    told = [
        {
            "epoch": one.epoch,
            "metrics": dict(one.metrics),
            "seconds": one.seconds,
            "errors": dict(one.errors),
        }
        for one in reports
    ]
    save(path, {"training": training.state(), "facts": dict(facts), "reports": told})
