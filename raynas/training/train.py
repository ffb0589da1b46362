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
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from raynas.errors import ConfigError, TrialError
from raynas.logits import logits_of
from raynas.rng import epoch_generator, seed_dropout
from raynas.training.examples import Examples, augmented, cut_out
from raynas.training.inherit import grouping, in_common, inherit
from raynas.training.memory import memory_fails
from raynas.training.recipe import Recipe
from raynas.training.sgd import SGD
from raynas.trial import accuracy_error

__all__ = ["Epoch", "Training", "evaluate", "memory_fails"]

# Examples scored at once. On a CPU, more do not fit into its caches and take up to twice as long.
_AT_ONCE_CPU, _AT_ONCE_GPU = 200, 1000


@dataclass(frozen=True, slots=True)
class Epoch:
    """The results of one epoch.

    Attributes:
        epoch: Epochs trained so far, counted from 1.
        metrics: ``train_loss`` (with augmentation and label smoothing, averaged over the epoch),
            ``lr`` (of its last step) and, if there is validation data, ``val_loss`` and
            ``val_accuracy`` (a fraction).
        seconds: Its duration, validation included.
        errors: Standard errors of the validation metrics, as in ``raynas.trial.Report``.
    """

    epoch: int
    metrics: Mapping[str, float]
    seconds: float
    errors: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scores:
    """The scores of a child on some examples.

    Attributes:
        metrics: The mean cross-entropy ``loss`` (nats) and the ``accuracy`` (a fraction).
        errors: Their standard errors, by the sampling of the examples.
    """

    metrics: Mapping[str, float]
    errors: Mapping[str, float]


class Training:
    """A child in training, one epoch per ``step``.

    Seed the weights (``raynas.rng.seed_weights``) before building the child.
    """

    def __init__(
        self, child: nn.Module, examples: Examples, recipe: Recipe, *, epochs: int, seed: int
    ) -> None:
        """Prepare to train.

        Args:
            child: Returns ``[batch, classes]`` logits; it is moved to the device of the examples.
            examples: The training examples.
            recipe: The training recipe.
            epochs: The full length of training, for the schedule of the learning rate.
            seed: The training seed.

        Raises:
            ConfigError: The recipe augments images, and the examples are not images.
        """
        device = examples.inputs.device
        if examples.inputs.ndim != 4 and (recipe.crop or recipe.flip or recipe.cutout):
            raise ConfigError(
                "crop, flip and cutout need images [examples, channels, height, width]: "
                f"got examples {tuple(examples.inputs.shape)}; set them to 0 and false"
            )
        self.child = child.to(device).to(memory_format=torch.channels_last)
        self.examples = examples
        self.recipe = recipe
        self.epochs = epochs
        self.seed = seed
        self.epoch = 0
        self._lr = recipe.lr
        self._optimizer = SGD(self.child.named_parameters(), recipe)

    @memory_fails()
    def step(self, valid: Examples | None = None) -> Epoch:
        """Train for one epoch, then score the child on ``valid`` if given.

        Raises:
            TrialError: A loss is not finite, or memory ran out.
            SpaceError: The child's output has the wrong shape.
        """
        started = time.perf_counter()
        metrics = {"train_loss": self._fit(), "lr": self._lr}
        self.epoch += 1
        errors: dict[str, float] = {}
        if valid is not None:
            scores = evaluate(self.child, valid)
            metrics |= {f"val_{name}": value for name, value in scores.metrics.items()}
            errors = {f"val_{name}": value for name, value in scores.errors.items()}
        for name, value in metrics.items():
            if not math.isfinite(value):
                raise TrialError(f"training diverged: {name} is {value} after epoch {self.epoch}")
        return Epoch(self.epoch, metrics, time.perf_counter() - started, errors)

    def _fit(self) -> float:
        """Train on all examples once; return the mean loss."""
        examples, recipe = self.examples, self.recipe
        device = examples.inputs.device
        generator = epoch_generator(self.seed, self.epoch, device)
        seed_dropout(self.seed, self.epoch)
        order = torch.randperm(len(examples), generator=generator, device=device)
        steps = examples.steps(recipe.batch_size)
        total = torch.zeros((), device=device)
        precision = _precision(device)
        self.child.train()
        for step, rows in enumerate(order.tensor_split(steps)):
            self._lr = recipe.lr_at((self.epoch + (step + 0.5) / steps) / self.epochs)
            inputs, labels = examples.inputs[rows], examples.labels[rows]
            inputs = examples.normalised(augmented(inputs, recipe, generator))
            if recipe.cutout:
                inputs = cut_out(inputs, recipe.cutout, generator)
            with precision:
                logits = logits_of(self.child(inputs), (len(labels), examples.classes))
                loss = functional.cross_entropy(
                    logits, labels, label_smoothing=recipe.label_smoothing
                )
            torch.autograd.backward(loss)
            if recipe.grad_clip:
                nn.utils.clip_grad_norm_(self.child.parameters(), recipe.grad_clip)
            self._optimizer.step(self._lr)
            total += loss.detach() * len(rows)
        return total.item() / len(examples)

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
            device = self.examples.inputs.device
            setattr(self.child.get_submodule(layer), own, buffer.to(device, copy=True))
        self._optimizer.load(state["momentum"])

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
def evaluate(child: nn.Module, examples: Examples) -> Scores:
    """Return the scores of a child on examples that it was not trained on.

    Raises:
        TrialError: Memory ran out.
        SpaceError: The child's output has the wrong shape.
    """
    device = examples.inputs.device
    loss, squares = torch.zeros((), device=device), torch.zeros((), device=device)
    right = torch.zeros((), dtype=torch.int64, device=device)
    parts = math.ceil(len(examples) / (_AT_ONCE_CPU if device.type == "cpu" else _AT_ONCE_GPU))
    precision = _precision(device)
    child.eval()
    for inputs, labels in zip(
        examples.inputs.tensor_split(parts), examples.labels.tensor_split(parts), strict=True
    ):
        with precision:
            logits = logits_of(child(examples.normalised(inputs)), (len(labels), examples.classes))
            losses = functional.cross_entropy(logits, labels, reduction="none")
        loss += losses.sum()
        squares += losses.square().sum()
        right += (logits.argmax(1) == labels).sum()
    count = len(examples)
    mean, accuracy = loss.item() / count, right.item() / count
    spread = math.sqrt(max(squares.item() / count - mean**2, 0.0))
    return Scores(
        {"loss": mean, "accuracy": accuracy},
        {"loss": spread / math.sqrt(count), "accuracy": accuracy_error(accuracy, count)},
    )


def _precision(device: torch.device) -> AbstractContextManager[None]:
    bfloat16 = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.autocast(device.type, torch.bfloat16, enabled=bfloat16)
