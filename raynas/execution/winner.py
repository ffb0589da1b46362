"""The winner: trained anew on all data but the test data, tested once, exported.

One that began with another's weights is not trained anew: from scratch, it would be another
network than the one that was chosen. It is tested and exported with the weights it has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from raynas.execution.worker import TrainingContext, TrialSpec, begin, load

if TYPE_CHECKING:
    from raynas.training.export import Exported


@dataclass(frozen=True, slots=True)
class Retrained:
    """What became of a winner.

    Attributes:
        metrics: ``test_accuracy`` (a fraction), ``test_loss`` (nats), ``params``, ``flops``.
        exported: It, as files.
    """

    metrics: Mapping[str, float]
    exported: Exported


def retrain(context: TrainingContext, spec: TrialSpec) -> Retrained:
    """Train the winner on training and validation data, look at the test data, export.

    One whose spec has a ``parent`` takes its weights from there instead, as they are.

    Raises:
        TrialError: Training failed.
    """
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
    return Retrained(metrics, exported(training.child, data))
