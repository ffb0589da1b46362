"""The training loop.

A whole epoch is computed on the device: order, augmentation, normalisation, steps, scores. The
host reads one number per epoch and split. Images and children have channels-last layout, which is
fast for convolutions on GPUs and CPUs; a GPU computes in bfloat16 if it supports it.

The random numbers of an epoch depend only on the training seed and the epoch, and the learning
rate on the share of finished steps. So on a CPU, training that continues from ``Training.state``
gives bit for bit the same result as training without interruption.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from raynas.errors import SpaceError, TrialError
from raynas.goals import Goal
from raynas.goals.metric import Mean, value_of
from raynas.goals.outputs import described
from raynas.rng import epoch_generator, seed_dropout
from raynas.training.batches import Batches
from raynas.training.inherit import grouping, in_common, inherit
from raynas.training.learner import Epoch
from raynas.training.memory import memory_fails
from raynas.training.recipe import Recipe
from raynas.training.sgd import SGD
from raynas.trees import first, mapped

__all__ = ["Epoch", "Training", "evaluate", "memory_fails"]


@dataclass(frozen=True, slots=True)
class Scores:
    """The scores of a child on some examples.

    Attributes:
        metrics: The mean ``loss`` and the metrics of the goal.
        errors: Their standard errors by the sampling of the examples, where they are known.
    """

    metrics: Mapping[str, float]
    errors: Mapping[str, float]


class Training:
    """A child in training, one epoch per ``step``.

    Seed the weights (``raynas.rng.seed_weights``) before building the child.
    """

    def __init__(
        self,
        child: nn.Module,
        examples: Batches,
        recipe: Recipe,
        *,
        epochs: int,
        seed: int,
        valid: Batches | None = None,
    ) -> None:
        """Prepare to train.

        Args:
            child: Returns the outputs that the goal of the examples needs; it is moved to the
                device of the examples.
            examples: The training examples.
            recipe: The training recipe.
            epochs: The full length of training, for the schedule of the learning rate.
            seed: The training seed.
            valid: The examples that the child is scored on after every epoch, if any.

        Raises:
            ConfigError: The recipe augments images, and the examples are not images.
        """
        examples.check(recipe)
        self.device = examples.device
        self.child = child.to(self.device).to(memory_format=torch.channels_last)
        self.examples = examples
        self.goal = examples.goal.for_training(recipe.label_smoothing)
        self.recipe = recipe
        self.epochs = epochs
        self.seed = seed
        self.epoch = 0
        self.valid = valid
        self.notices: list[str] = []
        self._lr = recipe.lr
        self._optimizer = SGD(self.child.named_parameters(), recipe)

    @memory_fails()
    def step(self) -> Epoch:
        """Train for one epoch, then score the child on ``valid`` if there is such data.

        Raises:
            TrialError: A loss is not finite, or memory ran out.
            SpaceError: The child's output has the wrong shape.
        """
        started = time.perf_counter()
        metrics = {"train_loss": self._fit(), "lr": self._lr}
        self.epoch += 1
        errors: dict[str, float] = {}
        if self.valid is not None:
            scores = evaluate(self.child, self.valid)
            metrics |= {f"val_{name}": value for name, value in scores.metrics.items()}
            errors = {f"val_{name}": value for name, value in scores.errors.items()}
        for name, value in metrics.items():
            if not math.isfinite(value):
                raise TrialError(f"training diverged: {name} is {value} after epoch {self.epoch}")
        return Epoch(self.epoch, metrics, time.perf_counter() - started, errors)

    def _fit(self) -> float:
        """Train on all examples once; return the mean loss."""
        recipe, device = self.recipe, self.device
        generator = epoch_generator(self.seed, self.epoch, device)
        seed_dropout(self.seed, self.epoch)
        steps = self.examples.steps(recipe.batch_size)
        count, total = 0, torch.zeros((), device=device)
        precision = precision_of(device)
        self.child.train()
        for step, (inputs, targets) in enumerate(self.examples.training(recipe, generator)):
            self._lr = recipe.lr_at((self.epoch + (step + 0.5) / steps) / self.epochs)
            with precision:
                loss = loss_of(self.goal, self.child(inputs), targets)
            torch.autograd.backward(loss)
            if recipe.grad_clip:
                nn.utils.clip_grad_norm_(self.child.parameters(), recipe.grad_clip)
            self._optimizer.step(self._lr)
            size = len(first(targets))
            count += size
            total += loss.detach() * size
        return total.item() / count

    def state(self) -> dict[str, Any]:
        """Return the state for ``load_state``; the next step changes its tensors, so save it."""
        return {
            "epoch": self.epoch,
            "child": self.child.state_dict(),
            "passing": self._passing(),
            "groups": grouping(self.child),
            "momentum": self._optimizer.momentum,
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Continue from a state of the same architecture; recipe, seed and length stay."""
        self.epoch = state["epoch"]
        self.child.load_state_dict(state["child"])
        for name, buffer in state.get("passing", {}).items():
            layer, _, own = name.rpartition(".")
            setattr(self.child.get_submodule(layer), own, buffer.to(self.device, copy=True))
        self._optimizer.load(state["momentum"])

    def test(self, examples: Callable[[], Batches]) -> dict[str, float]:
        """Return the child's scores on the test data, with the prefix ``test_``."""
        scores = evaluate(self.child, examples())
        return {f"test_{name}": value for name, value in scores.metrics.items()}

    def close(self) -> None:
        """Do nothing: nothing is held but memory."""

    def _passing(self) -> dict[str, Tensor]:
        """Return the buffers that the ``state_dict`` leaves out; training may change them."""
        kept = self.child.state_dict()
        return {name: part for name, part in self.child.named_buffers() if name not in kept}

    def inherit(self, state: Mapping[str, Any]) -> float:
        """Inherit the weights and momentum of another architecture, as far as they fit.

        The epoch does not change; set ``epoch`` to continue the other's learning rate schedule.

        Args:
            state: The ``state`` of the other training; it is not changed.

        Returns:
            The share of the child's parameters that were inherited; see
            ``raynas.training.inherit``.
        """
        given = state["child"], state.get("groups")
        share = inherit(self.child, *given)
        self._optimizer.inherit(state["momentum"], in_common(self.child, *given))
        return share


@memory_fails()
@torch.inference_mode()
def evaluate(child: nn.Module, examples: Batches) -> Scores:
    """Return the scores of a child on examples that it was not trained on.

    Raises:
        TrialError: Memory ran out.
        SpaceError: The child's output has the wrong shape.
        ConfigError: A metric is not one number.
    """
    goal = examples.goal
    metrics: dict[str, Any] = {"loss": Mean(partial(_losses, goal)), **goal.metrics()}
    precision = precision_of(examples.device)
    child.eval()
    for inputs, targets in examples.scoring():
        with precision:
            outputs = child(inputs)
            metrics["loss"].update(outputs, targets)
        predictions = _full_precision(goal.predictions(outputs))
        for name, metric in metrics.items():
            if name != "loss":
                metric.update(predictions, targets)
    errors = {name: standard_error(metric) for name, metric in metrics.items()}
    return Scores(
        {name: value_of(name, metric) for name, metric in metrics.items()},
        {name: error for name, error in errors.items() if error is not None},
    )


def standard_error(metric: Any) -> float | None:
    """Return the standard error of a metric's value; none if it is unknown."""
    known = getattr(metric, "standard_error", None)
    return known() if callable(known) else None


def _losses(goal: Goal, outputs: Any, targets: Any) -> Tensor:
    """Return the loss of each example, or the mean loss if the goal has no losses."""
    each = goal.losses(outputs, targets)
    return goal.loss(outputs, targets) if each is None else each


def loss_of(goal: Goal, outputs: Any, targets: Any) -> Tensor:
    """Return the loss of a batch in training.

    Raises:
        SpaceError: It is not one number with a gradient.
    """
    loss: Any = goal.loss(outputs, targets)
    if not isinstance(loss, Tensor) or loss.ndim or not loss.requires_grad:
        raise SpaceError(
            f"the loss of {type(goal).__name__} must be a tensor with one number and a gradient: "
            f"got {described(loss)}"
        )
    return loss


def _full_precision(predictions: Any) -> Any:
    """Return predictions as float32, because metrics do not compute in bfloat16."""
    return mapped(
        lambda part: (
            part.float() if isinstance(part, Tensor) and part.dtype == torch.bfloat16 else part
        ),
        predictions,
    )


def precision_of(device: torch.device) -> AbstractContextManager[None]:
    """Return the context of mixed precision: bfloat16 on a GPU that supports it."""
    bfloat16 = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.autocast(device.type, torch.bfloat16, enabled=bfloat16)
