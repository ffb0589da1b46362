"""The winner: trained anew on all data but the test data, tested once, exported.

One that began with another's weights is not trained anew: from scratch, it would be another
network than the one that was chosen. It is tested and exported with the weights it has.

After every epoch, the last one included, a checkpoint is written. It is deleted by whoever keeps
the exported files, so a process that is killed costs an epoch of the training at most.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from raynas.costs import Costs
from raynas.errors import StorageError
from raynas.execution.checkpoint_file import CheckpointFile
from raynas.execution.training_context import Parts, TrainingContext, begin
from raynas.execution.trial_spec import TrialSpec
from raynas.execution.uncollected import uncollected
from raynas.execution.worker import check_process, explained, failure, load
from raynas.training.exported import Exported
from raynas.training.memory import memory_fails
from raynas.training.torch_globals import torch_globals_kept
from raynas.trial import Failed, WinnerEpoch

if TYPE_CHECKING:
    from raynas.training.learner import Learner

EXPORT_SECONDS: Final = 600.0
"""How long the export may take; it can hang, for it runs the child's own code.

The largest shipped network (DARTS, 20 cells) takes 18 s on one core; one that is thirty times as
large, or a machine that is as much slower, has the time, too.
"""


@dataclass(frozen=True, slots=True)
class Tested:
    """A winner that was trained and tested; its program comes later, for that takes seconds.

    Attributes:
        metrics: ``test_loss`` and the metrics of the goal, such as ``test_accuracy`` (a
            fraction), or those of the task's own ``test``; ``params``, ``flops``.
        weights: Its weights, as files.
    """

    metrics: Mapping[str, float]
    weights: Exported


WinnerEvent = WinnerEpoch | Tested | Exported | Failed
"""What becomes of a winner: epochs, the test, the exported program; a failure is the last."""


def retrain(
    context: TrainingContext, spec: TrialSpec, *, used: bool = False
) -> Iterator[WinnerEvent]:
    """Train the winner on training and validation data, look at the test data, then export.

    It goes on from its own checkpoint, if there is one. One whose spec has a ``parent`` takes its
    weights from there instead, as they are. Whatever the child raises is the last event, as it is
    in ``raynas.execution.worker``.

    Raises:
        StorageError: A checkpoint cannot be written, which ends the run.
        UnexplainedFailureError: As ``train`` raises it in a ``used`` process.
    """
    check_process(spec)
    try:
        with torch_globals_kept(), memory_fails():
            yield from _retrained(context, spec)
    except StorageError:
        raise
    except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001 - a user's code
        yield explained(failure(spec.number, error), spec, used=used)


def _retrained(context: TrainingContext, spec: TrialSpec) -> Iterator[WinnerEvent]:
    from raynas.training.export import program, weights  # noqa: PLC0415

    training, measured = begun(context, spec)
    with closing(training):
        last, checkpoint = spec.until or spec.epochs, CheckpointFile.at(spec.checkpoint)
        while training.epoch < last:
            training.step()
            checkpoint.save({"winner": _key(spec), "training": training.state()})
            yield WinnerEpoch(spec.number, training.epoch, last)
        checkpoint.settle()
        metrics = training.test(partial(context.batches_named, "test"))
    yield Tested(metrics | measured.known, weights(training.child))
    with uncollected():  # the first export loads torch's compiler
        exported = program(training.child, context.data)
    yield exported


def begun(context: TrainingContext, spec: TrialSpec) -> tuple[Learner, Costs]:
    """Return the training of the winner, after the epochs that are in its checkpoint, and costs.

    Raises:
        RaynasError: As for ``begin`` and ``load``.
    """
    parts = Parts() if context.loop else Parts(context.batches_named("merged"))
    training, measured = begin(context, spec, parts, final=True)
    if spec.parent:
        training.load_state(load(spec.parent))
    elif saved := _saved(spec):
        training.load_state(saved)
    return training, measured


def _key(spec: TrialSpec) -> dict[str, Any]:
    """Return what two trainings of a winner have in common if one may go on from the other."""
    decided = repr(sorted(spec.architecture.items()))
    return {
        "number": spec.number,
        "epochs": spec.epochs,
        "until": spec.until,
        "seed": spec.seed,
        "architecture": decided,
    }


def _saved(spec: TrialSpec) -> Mapping[str, Any] | None:
    """Return the state in the winner's checkpoint; none if there is none of this winner's.

    One that cannot be read costs the time of its epochs, and no more.
    """
    import torch  # noqa: PLC0415 - only workers load torch

    saved, _ = CheckpointFile.at(spec.checkpoint).read(torch.device("cpu"))
    return saved["training"] if saved.get("winner") == _key(spec) else None
