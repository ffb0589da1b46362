"""The scores of a network on examples that it was not trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from raynas.goals.metric import Mean, Metric, new_metrics, value_of
from raynas.training.batches import Batches
from raynas.training.memory import memory_fails
from raynas.training.recording import Recorded
from raynas.training.step import ScoringStep


@dataclass(frozen=True, slots=True)
class Scores:
    """The scores of a child on some examples.

    Attributes:
        metrics: The mean ``loss`` and the metrics of the goal.
        errors: Their standard errors by the sampling of the examples, where they are known.
    """

    metrics: Mapping[str, float]
    errors: Mapping[str, float]


def evaluate(child: nn.Module, examples: Batches, precision: str = "auto") -> Scores:
    """Return the scores of a child on examples that it was not trained on.

    Args:
        child: The network.
        examples: The examples.
        precision: As in the recipe.

    Raises:
        TrialError: Memory ran out.
        SpaceError: The child's output has the wrong shape.
        ConfigError: A metric is not one number.
    """
    step = ScoringStep(child, examples.goal, examples.device, precision)
    return scored(child, Recorded(step, (), None), examples)


@memory_fails()
@torch.inference_mode()
def scored(child: nn.Module, step: Recorded, examples: Batches) -> Scores:
    """Return the scores of a child by its scoring step, as ``evaluate`` does."""
    losses = Mean(lambda losses, _: losses, examples.goal.weight)
    metrics = new_metrics(examples.goal.metrics())
    child.eval()
    step.begin()
    for inputs, targets in examples.scoring():
        of_each, predictions = step(inputs, targets)
        losses.update(of_each, targets)
        for metric in metrics.values():
            metric.update(predictions, targets)
    everything: dict[str, Metric] = {"loss": losses, **metrics}
    errors = {name: standard_error(metric) for name, metric in everything.items()}
    return Scores(
        {name: value_of(name, metric) for name, metric in everything.items()},
        {name: error for name, error in errors.items() if error is not None},
    )


def standard_error(metric: Any) -> float | None:
    """Return the standard error of a metric's value; none if it is unknown."""
    known = getattr(metric, "standard_error", None)
    return known() if callable(known) else None
