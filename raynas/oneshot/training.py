"""The training of a supernet, as a loop of its own: ``fit(supernet, context)``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from raynas.errors import SpaceError
from raynas.goals import Goal
from raynas.oneshot.mixed import MixedSupernet, as_mixed
from raynas.oneshot.scoring import SharedScores
from raynas.oneshot.supernet import Supernet
from raynas.rng import epoch_generator, noise_rng, path_rng
from raynas.space import Architecture
from raynas.training.batches import Batch, Batches
from raynas.training.loop_context import LoopContext
from raynas.training.mixing import mixed
from raynas.training.optimizers import Optimizer, optimizer_of
from raynas.training.precision import precision_of
from raynas.training.recipe import Recipe
from raynas.training.step import TrainingStep, loss_of
from raynas.trees import first
from raynas.trial import Objective

PATHS, MIXING, FIRST, SHOWN = range(4)
"""The purposes of generators: paths, mixtures of images, first values of what a method learns, and
the architectures whose scores are reported."""

_TRIES: Final = 100
_GLIMPSES: Final = 16  # batches after each epoch that show how far the supernet has come
CALIBRATION: Final = 4  # training batches for the statistics of a path


class SupernetTraining:
    """A supernet, its data, and the steps that change its weights.

    Attributes:
        supernet: The supernet.
        recipe: The training recipe of its weights.
        goal: What is learnt.
        train: The training examples.
        valid: The validation examples.
        scores: Scores architectures by the present weights.
        peers: The processes that train the supernet together.
    """

    def __init__(
        self,
        supernet: Supernet,
        context: LoopContext,
        recipe: Recipe,
        objective: Objective,
    ) -> None:
        """Prepare to train; what changes is tracked by the context.

        Args:
            supernet: The supernet, on its device.
            context: What the loop is told.
            recipe: The training recipe of the weights.
            objective: The metric, without the prefix ``val_``, and its direction.
        """
        self.peers = context.peers
        self.supernet = supernet.to(memory_format=torch.channels_last)
        self.recipe = recipe
        self.train: Batches = context.batches("train")
        self.valid: Batches = context.batches("valid")
        self.goal: Goal = self.train.goal.for_training(self.recipe.label_smoothing)
        self.seed = context.seed
        self.epochs = context.last_epoch
        self._optimizer = optimizer_of(supernet, self.recipe)
        self._step = TrainingStep(supernet, self.goal, self._optimizer, context.device, self.peers)
        self._precision = precision_of(context.device, self.recipe.precision)
        self._noise = noise_rng(self.seed, 0)
        context.track(weights=_Moments(self._optimizer))
        self.scores = shared_scores(supernet, context, recipe, objective)

    def batches(self, epoch: int) -> Iterator[tuple[Any, Any, float]]:
        """Yield the inputs, the targets and the learning rate of each step of an epoch.

        The supernet is in training mode then. With several processes, ``step``, ``add`` and
        ``loss`` take their part of a batch.
        """
        self.supernet.train()
        self._noise = noise_rng(self.seed, epoch)
        generator = epoch_generator(self.seed, epoch, self.train.device)
        batches: Iterator[Batch] = self.train.training(self.recipe, generator)
        if self.recipe.mixes:
            batches = mixed(batches, self.recipe, self.rng(epoch, MIXING))
        steps = self.train.steps(self.recipe.batch_size)
        for at, (inputs, targets) in enumerate(batches):
            share = (at + 0.5) / steps if steps else 0.5
            yield inputs, targets, self.recipe.lr_at(min(1.0, (epoch + share) / self.epochs))

    def valid_batches(self, epoch: int) -> Iterator[Batch]:
        """Yield batches of validation examples in random order, without end."""
        generator = epoch_generator(self.seed, epoch + self.epochs, self.valid.device)
        while True:
            yield from self.valid.training(self.recipe, generator)

    def glimpse(self, architectures: Sequence[Architecture], epoch: int) -> float:
        """Return the mean objective of architectures over a few validation batches.

        Each batch is normalised by its own statistics. This costs a fraction of an epoch, unless
        the data are tiny; ``scores`` takes all examples for each architecture.
        """
        shown = islice(cycle(architectures), _GLIMPSES)
        batches = self.valid_batches(epoch)
        values = [self.scores.on_batch(one, next(batches)) for one in shown]
        return sum(values) / len(values)

    def rng(self, epoch: int, purpose: int = PATHS) -> np.random.Generator:
        """Return the generator of the paths of an epoch; of another purpose, another one."""
        return path_rng(self.seed, epoch, purpose)

    def step(self, inputs: Any, targets: Any, lr: float) -> Tensor:
        """Train the weights on the present routes; return the loss, as ``loss`` does."""
        loss = self.loss((inputs, targets))
        torch.autograd.backward(loss)
        self.change(lr)
        return loss.detach()

    def add(self, batch: Batch, share: float) -> Tensor:
        """Add a share of the gradients on the present routes; return the loss, as ``loss``."""
        loss = self.loss(batch)
        torch.autograd.backward(loss * share)
        return loss.detach()

    def change(self, lr: float) -> None:
        """Change the weights by the gradients that were added."""
        self._step.change(lr)

    @property
    def steps(self) -> int:
        """The steps of all epochs; those of one epoch count as one if they are not known."""
        return self.epochs * max(1, self.train.steps(self.recipe.batch_size))

    @property
    def mixed(self) -> MixedSupernet:
        """The supernet, if it has mixtures.

        Raises:
            SpaceError: It has none.
        """
        return as_mixed(self.supernet)

    def served(self, draw: Callable[[], Architecture]) -> Architecture:
        """Draw until there are weights for an architecture, which is nearly always at once.

        Raises:
            SpaceError: There never are.
        """
        for _ in range(_TRIES):
            if self.supernet.serves(drawn := draw()):
                return drawn
        raise SpaceError(
            f"the shared weights must serve one of {_TRIES} architectures, and serve none"
        )

    @property
    def weights(self) -> list[Tensor]:
        """The weights that are trained."""
        return [one for group in self._optimizer.groups for one in group.parameters.values()]

    @property
    def momenta(self) -> list[Tensor] | None:
        """The momentum of each weight; none if the optimizer is not gradient descent."""
        known = self._optimizer.moments.get("momentum")
        if known is None:
            return None
        return [known[name] for group in self._optimizer.groups for name in group.parameters]

    def loss(self, batch: Batch) -> Tensor:
        """Return the mean loss of a batch on the present routes, with its graph.

        With several processes, it is that of the own part, with a factor so that the mean over all
        processes is that of the batch.
        """
        (inputs, targets), factor = self.peers.part(batch, self.goal)
        with self._precision, self.peers.noise(self._noise):
            loss = loss_of(self.goal, self.supernet(inputs), targets)
        return loss if self.peers.count == 1 else loss * factor

    def averaged(self, gradients: Sequence[Tensor]) -> list[Tensor]:
        """Return the means of gradients over all processes."""
        return self.peers.mean(gradients)

    def rewards(self, drawn: Sequence[Architecture], batches: Iterator[Batch]) -> list[float]:
        """Return the reward of each architecture on a batch of its own.

        The processes share the work.
        """
        own = [
            self.scores.reward(one, batch) if at % self.peers.count == self.peers.rank else 0.0
            for at, (one, batch) in enumerate(zip(drawn, batches, strict=False))
        ]
        return self.peers.total(own)


def shared_scores(
    supernet: Supernet, context: LoopContext, recipe: Recipe, objective: Objective
) -> SharedScores:
    """Return what scores architectures by a supernet, the same in any process.

    Args:
        supernet: The supernet, on its device.
        context: What the loop is told.
        recipe: The training recipe of the weights.
        objective: The metric, without the prefix ``val_``, and its direction.
    """
    train = context.batches("train")
    generator = epoch_generator(context.seed, 2 * context.last_epoch, train.device)
    batches = train.training(recipe, generator)
    calibration = [batch for _, batch in zip(range(CALIBRATION), batches, strict=False)]
    valid = context.batches("valid")
    return SharedScores(supernet, calibration, valid, objective, recipe.precision)


def scaled(rate: float, steps: int, usual: int, most: float) -> float:
    """Return a learning rate, which is higher in proportion for fewer steps than usual."""
    return min(max(most, rate), rate * max(1.0, usual / steps))


@dataclass(slots=True)
class MeanLoss:
    """The mean of losses over the examples of an epoch; it waits for the device only once."""

    _total: Any = 0.0
    _count: int = 0

    def add(self, loss: Tensor, targets: Any) -> None:
        """Add the mean loss of a batch."""
        size = len(first(targets))
        self._total = self._total + loss.detach() * size
        self._count += size

    @property
    def value(self) -> float:
        """The mean."""
        return float(self._total) / max(1, self._count)


@dataclass(frozen=True, slots=True)
class _Moments:
    """The moments of an optimizer, in the form in which a context tracks states."""

    optimizer: Optimizer

    def state_dict(self) -> dict[str, Any]:
        return {kind: dict(known) for kind, known in self.optimizer.moments.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.optimizer.load(state)
