"""The winner: trained anew on all data but the test data, tested once, exported.

One that began with another's weights is not trained anew: from scratch, it would be another
network than the one that was chosen. It is tested and exported with the weights it has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from raynas.execution.worker import Assignment, Workshop, begin, load

if TYPE_CHECKING:
    from raynas.training.export import Exported


@dataclass(frozen=True, slots=True)
class Crowned:
    """What became of a winner.

    Attributes:
        metrics: ``test_accuracy`` (a fraction), ``test_loss`` (nats), ``params``, ``flops``.
        exported: It, as files.
    """

    metrics: Mapping[str, float]
    exported: Exported


def crown(workshop: Workshop, assignment: Assignment) -> Crowned:
    """Train the winner on training and validation data, look at the test data, export.

    One whose assignment has a ``parent`` takes its weights from there instead, as they are.

    Raises:
        TrialError: Training failed.
    """
    import torch  # noqa: PLC0415 - only workers load torch

    from raynas.training.examples import Examples  # noqa: PLC0415
    from raynas.training.export import exported  # noqa: PLC0415
    from raynas.training.train import evaluate  # noqa: PLC0415

    data, device = workshop.data, torch.device(workshop.device)
    training, measured = begin(workshop, assignment, Examples.of(data.merged(), data, device))
    if assignment.parent:
        training.load_state(load(assignment.parent))
    while training.epoch < assignment.epochs:
        training.step()
    tested = evaluate(training.child, Examples.of(data.test, data, device))
    metrics = {f"test_{name}": value for name, value in tested.metrics.items()}
    metrics |= {"params": measured.params, "flops": measured.flops}
    return Crowned(metrics, exported(training.child, data))
