"""What the methods with uniformly drawn paths have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

import numpy as np

from raynas.oneshot.methods.method import Method
from raynas.oneshot.training import MeanLoss, SupernetTraining
from raynas.space import Architecture

_SHOWN: Final = 8


class UniformPaths(Method):
    """Each step trains the weights of one architecture, drawn from the space."""

    mixes: ClassVar[bool] = False

    def train(self, training: SupernetTraining, epoch: int) -> Mapping[str, float]:
        """Train on all examples once, each batch on a path of its own."""
        rng, losses = training.rng(epoch), MeanLoss()
        for inputs, targets, lr in training.batches(epoch):
            training.supernet.take(training.served(lambda: training.supernet.space.sample(rng)))
            losses.add(training.step(inputs, targets, lr), targets)
        return {"train_loss": losses.value}

    def shown(self, training: SupernetTraining, rng: np.random.Generator) -> list[Architecture]:
        """Return random architectures."""
        space = training.supernet.space
        return [training.served(lambda: space.sample(rng)) for _ in range(_SHOWN)]
