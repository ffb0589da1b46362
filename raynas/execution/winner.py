"""The winner: trained anew on all data but the test data, tested once, exported.

One that began with another's weights is not trained anew: from scratch, it would be another
network than the one that was chosen. It is tested and exported with the weights it has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from raynas.execution.uncollected import uncollected
from raynas.execution.worker import TrainingContext, TrialSpec, begin, failure, load
from raynas.training.exported import Exported
from raynas.training.memory import memory_fails
from raynas.trial import Failed


@dataclass(frozen=True, slots=True)
class Tested:
    """A winner that was trained and tested; its files come later, for they take seconds.

    Attributes:
        metrics: ``test_accuracy`` (a fraction), ``test_loss`` (nats), ``params``, ``flops``.
    """

    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Retrained:
    """What became of a winner.

    Attributes:
        metrics: As in ``Tested``.
        exported: It, as files.
    """

    metrics: Mapping[str, float]
    exported: Exported


def retrain(context: TrainingContext, spec: TrialSpec) -> Iterator[Tested | Retrained | Failed]:
    """Train the winner on training and validation data, look at the test data, then export.

    One whose spec has a ``parent`` takes its weights from there instead, as they are. Whatever
    the child raises is the last event, as it is in ``raynas.execution.worker``.
    """
    try:
        with memory_fails():
            yield from _retrained(context, spec)
    except Exception as error:  # noqa: BLE001 - a child is a user's code and may raise anything
        yield failure(spec.number, error)


def _retrained(context: TrainingContext, spec: TrialSpec) -> Iterator[Tested | Retrained]:
    import torch  # noqa: PLC0415 - only workers load torch

    from raynas.training.examples import Examples  # noqa: PLC0415
    from raynas.training.export import exported  # noqa: PLC0415
    from raynas.training.train import evaluate  # noqa: PLC0415

    data, device = context.data, torch.device(context.device)
    training, measured = begin(context, spec, Examples.of(data.merged(), data, device))
    if spec.parent:
        training.load_state(load(spec.parent))
    while training.epoch < spec.epochs:
        training.step()
    tested = evaluate(training.child, Examples.of(data.test, data, device))
    metrics = {f"test_{name}": value for name, value in tested.metrics.items()}
    metrics |= {"params": measured.params, "flops": measured.flops}
    yield Tested(metrics)
    with uncollected():  # the first export loads torch's compiler
        files = exported(training.child, data)
    yield Retrained(metrics, files)
