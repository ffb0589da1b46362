"""Score architectures by the weights of a supernet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch

from raynas.goals.metric import Mean, Metric, new_metrics, value_of
from raynas.oneshot.statistics import batch_statistics, recalibrate
from raynas.oneshot.supernet import Supernet
from raynas.space import Architecture, Space
from raynas.training.batches import Batch, Batches
from raynas.training.step import ScoringStep
from raynas.trial import Objective


class Scorer(Protocol):
    """Scores architectures by shared weights, here or elsewhere."""

    @property
    def space(self) -> Space:
        """The space of the architectures."""
        ...

    def many(self, architectures: Sequence[Architecture]) -> list[float | None]:
        """Return the score of each architecture; none for one without weights."""
        ...

    def loss(self, score: float) -> float:
        """Return a score as a loss, of which less is better."""
        ...


@dataclass(slots=True)
class SharedScores:
    """Scores architectures by the weights of a supernet, on its device.

    Attributes:
        supernet: The supernet; its routes change.
        calibration: Training batches from which statistics of normalisations are computed.
        valid: The validation examples.
        objective: The metric, without the prefix ``val_``, and its direction.
        precision: As in the recipe.
    """

    supernet: Supernet
    calibration: list[Batch]
    valid: Batches
    objective: Objective
    precision: str = "auto"
    _step: ScoringStep = field(init=False, repr=False)
    _known: dict[str, float] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Prepare to score."""
        self._step = ScoringStep(self.supernet, self.valid.goal, self.valid.device, self.precision)

    @property
    def space(self) -> Space:
        """The space of the architectures."""
        return self.supernet.space

    def many(self, architectures: Sequence[Architecture]) -> list[float | None]:
        """Return the score of each architecture; none for one without weights."""
        serves = self.supernet.serves
        return [self.score(one) if serves(one) else None for one in architectures]

    def score(self, architecture: Architecture) -> float:
        """Return the objective over all validation examples, with statistics of its own path."""
        identity = self.supernet.space.identity(architecture)
        if identity not in self._known:
            self.supernet.take(architecture)
            recalibrate(self.supernet.active, self.calibration)
            self._known[identity] = self._value(self.valid.scoring())
        return self._known[identity]

    def on_batch(self, architecture: Architecture, batch: Batch) -> float:
        """Return the objective on one batch, normalised by the statistics of the batch."""
        self.supernet.take(architecture)
        with batch_statistics(self.supernet.active):
            return self._value([batch])

    def reward(self, architecture: Architecture, batch: Batch) -> float:
        """Return minus the loss of the objective on one batch: more is better."""
        return -self.loss(self.on_batch(architecture, batch))

    def loss(self, score: float) -> float:
        """Return a score as a loss, of which less is better."""
        return self.objective.loss({self.objective.metric: score})

    def forget(self) -> None:
        """Forget the scores: the weights have changed."""
        self._known.clear()

    @torch.inference_mode()
    def _value(self, batches: Iterable[Batch]) -> float:
        name, goal = self.objective.metric, self.valid.goal
        metric: Metric = Mean(lambda losses, _: losses, goal.weight)
        of_loss = name == "loss"
        if not of_loss:
            metric = new_metrics({name: goal.metrics()[name]})[name]
        for inputs, targets in batches:
            losses, predictions = self._step(inputs, targets)
            metric.update(losses if of_loss else predictions, targets)
        return value_of(name, metric)
