"""A worker's part of a trial: build the child, train it epoch by epoch, write checkpoints.

This module does not use Ray, and loads torch only when the first trial begins. So all workers are
ready at about the same time; otherwise the first worker would get all short trials.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from raynas.errors import (
    CheckpointError,
    PeerError,
    ProbeError,
    RaynasError,
    RefusedError,
    StorageError,
    TrialMemoryError,
)
from raynas.execution.checkpoint_file import CheckpointFile
from raynas.execution.retries import place
from raynas.execution.training_context import TrainingContext, learner_of
from raynas.execution.trial_spec import TrialSpec
from raynas.training.memory import begin_peak, memory_fails, peak
from raynas.training.torch_globals import torch_globals_kept
from raynas.trial import Failed, Report

if TYPE_CHECKING:
    import torch

    from raynas.training.learner import Learner


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
    if isinstance(error, CheckpointError | PeerError):
        return Failed(number, str(error), cause="circumstances")
    if isinstance(error, ProbeError):  # another worker would ask the same probe
        return Failed(number, str(error), cause="part")
    if isinstance(error, RefusedError):
        return Failed(number, str(error), refused=True)
    if isinstance(error, RaynasError):
        return Failed(number, str(error), out_of_memory=isinstance(error, TrialMemoryError))
    return Failed(number, f"{type(error).__name__}: {error}", detail=traceback.format_exc())


def _reports(context: TrainingContext, spec: TrialSpec) -> Iterator[Report | Notice]:
    import torch  # noqa: PLC0415 - see the module's docstring

    device = torch.device(context.device)
    begin_peak(device)
    training, measured = learner_of(context, spec)
    checkpoint, reports = CheckpointFile.at(spec.checkpoint), list[Report]()
    saved, lacking = saved_of(spec, device)
    facts = {} if saved else context.check.facts(spec.architecture, measured.known)
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
                checkpoint.save(_state(_own(spec), training, facts, reports))
            if spec.lent:
                checkpoint.settle()
            yield reports[-1]


def _told(spec: TrialSpec, learner: Learner) -> Iterator[Notice]:
    """Yield the notices of a learner, each once."""
    while learner.notices:
        yield Notice(spec.number, learner.notices.pop(0))


def saved_of(spec: TrialSpec, device: torch.device) -> tuple[Mapping[str, Any], str]:
    """Return what a trial's checkpoint holds, and why it holds nothing of use if it should.

    Args:
        spec: The trial.
        device: Where its tensors are loaded to.
    """
    if spec.fresh:
        return {}, ""
    saved, lacking = CheckpointFile.at(spec.checkpoint).read(device)
    if saved.get("of", _own(spec)) != _own(spec):
        return {}, f"its checkpoint {spec.checkpoint} is that of another trial"
    return saved, lacking


def load(path: str) -> Mapping[str, Any]:
    """Return the training state from a checkpoint, on the CPU.

    Raises:
        CheckpointError: The checkpoint cannot be read.
    """
    import torch  # noqa: PLC0415 - see the module's docstring

    saved, lacking = CheckpointFile.at(path).read(torch.device("cpu"))
    if lacking:
        raise CheckpointError(f"it needs the weights of another trial, but {lacking}")
    state: Mapping[str, Any] = saved["training"]
    return state


def _own(spec: TrialSpec) -> str:
    """Return what says whose checkpoint one is.

    A trial whose start was not safe in the journal when its driver was killed leaves a checkpoint;
    another one may get its number.
    """
    return repr((sorted(spec.architecture.items()), spec.seed, spec.division))


def _state(
    own: str, training: Learner, facts: Mapping[str, float], reports: list[Report]
) -> dict[str, Any]:
    told = [
        {
            "epoch": one.epoch,
            "metrics": dict(one.metrics),
            "seconds": one.seconds,
            "errors": dict(one.errors),
        }
        for one in reports
    ]
    return {"of": own, "training": training.state(), "facts": dict(facts), "reports": told}
