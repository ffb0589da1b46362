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
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from typing import Any

import torch
from torch import nn

from raynas.errors import TrialError
from raynas.rng import epoch_generator, host_rng, noise_rng, seed_dropout
from raynas.training.batches import Batch, Batches
from raynas.training.ema import Ema
from raynas.training.inherit import grouping, in_common, inherit
from raynas.training.learner import Epoch
from raynas.training.memory import memory_fails
from raynas.training.mixing import mixed
from raynas.training.optimizers import moments_in, optimizer_of
from raynas.training.peers import ALONE, Peers
from raynas.training.recipe import Recipe
from raynas.training.recording import Recorded, not_recorded, recorder_for
from raynas.training.scores import Scores, scored
from raynas.training.step import ScoringStep, TrainingStep
from raynas.training.stopping import EarlyStopping
from raynas.trees import first


class Training:
    """A child in training, one epoch per ``step``.

    Seed the weights (``raynas.rng.seed_weights``) before building the child.
    """

    def __init__(  # noqa: PLR0913 - what a training is
        self,
        child: nn.Module,
        examples: Batches,
        recipe: Recipe,
        *,
        epochs: int,
        seed: int,
        valid: Batches | None = None,
        peers: Peers = ALONE,
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
            peers: The processes that train the child together; each has one of these objects.

        Raises:
            ConfigError: The recipe augments images, and the examples are not images; or torch
                refuses the options of the optimizer.
            SpaceError: The child has no parameter to train.
        """
        examples.check(recipe)
        self.device = examples.device
        self.child = child.to(self.device).to(memory_format=torch.channels_last)
        self.examples = examples
        self.goal = examples.goal.for_training(recipe.label_smoothing)
        self.recipe = recipe
        self.peers = peers
        self.epochs = epochs
        self.seed = seed
        self.epoch = 0
        self.valid = valid
        self.notices: list[str] = []
        self._noted = False
        self._lr = recipe.lr
        self._optimizer = optimizer_of(self.child, recipe)
        self._step = TrainingStep(self.child, self.goal, self._optimizer, self.device, peers)
        self._train, self._score = self._recorded()
        self._ema = Ema(self.child, recipe.ema) if recipe.ema else None
        self._stopping = EarlyStopping(recipe.patience)

    def _recorded(self) -> tuple[Recorded, Recorded]:
        """Return the steps of training and scoring, recorded where that is possible.

        Batches whose gradients are added up, what torch has compiled, and what processes exchange
        are not recorded.
        """
        recipe, child, goal = self.recipe, self.child, self.examples.goal
        recorder = recorder_for(self.device) if recipe.cuda_graphs else None
        several = recipe.accumulate > 1 or self.peers.count > 1
        training = None if recipe.compile or several else recorder
        score = ScoringStep(child, goal, self.device, recipe.precision)
        return (
            Recorded(self._step, (child, self.goal, self._optimizer), training),
            Recorded(score, (child, goal), recorder),
        )

    @memory_fails()
    def step(self) -> Epoch:
        """Train for one epoch, then score the child on ``valid`` if there is such data.

        Of several processes, process 0 scores the child, and the others get its scores. After the
        training has ended early, return the results of its best epoch.

        Raises:
            TrialError: A loss is not finite, or memory ran out.
            SpaceError: The child's output has the wrong shape.
            PeerError: Another process is gone, or has another checkpoint.
        """
        started = time.perf_counter()
        if self._stopping.ended:
            self.epoch += 1
            return self._stopping.again(self.epoch, time.perf_counter() - started)
        metrics = {"train_loss": self._fit(), "lr": self._lr}
        self.epoch += 1
        errors: dict[str, float] = {}
        if self.valid is not None:
            scores = self._scores(self.valid)
            metrics |= {f"val_{name}": value for name, value in scores.metrics.items()}
            errors = {f"val_{name}": value for name, value in scores.errors.items()}
        for name, value in metrics.items():
            if not math.isfinite(value):
                raise TrialError(f"training diverged: {name} is {value} after epoch {self.epoch}")
        self._note()
        epoch = Epoch(self.epoch, metrics, time.perf_counter() - started, errors)
        return self._stopping.after(epoch, self._weights, self._put)

    def _fit(self) -> float:
        """Train on all examples once; return the mean loss."""
        every = self.recipe.accumulate
        steps = math.ceil(self.examples.steps(self.recipe.batch_size) / every)
        count, total = 0, torch.zeros((), device=self.device)
        self.peers.check_epoch(self.epoch)
        noise = noise_rng(self.seed, self.epoch)
        seed_dropout(self.seed, self.epoch)
        with self._ema.training() if self._ema else nullcontext():
            self.peers.send(self.child)
            self.child.train()
            self._train.begin()
            left = 0  # batches since the last change of the weights
            for at, (inputs, targets) in enumerate(self._batches()):
                self._lr = self._rate(at // every, steps)
                left = (at + 1) % every
                with self.peers.noise(noise):
                    loss = self._train(inputs, targets, None if left else self._lr)
                if not left:
                    self._average()
                size = len(first(targets))
                count += size
                total += loss * size
            if left:
                self._step.change(self._lr)
                self._average()
            self.peers.mean_statistics(self.child)
        if self._ema:
            self.peers.mean_statistics(self.child)  # which has the average now
        return self.peers.total([total.item() / count])[0] / self.peers.count

    def _scores(self, examples: Batches) -> Scores:
        """Return what process 0 finds, in all processes."""
        own = scored(self.child, self._score, examples) if self.peers.rank == 0 else None
        scores: Scores = self.peers.told(own)
        return scores

    def _note(self) -> None:
        """Note, once, why a step is not recorded."""
        reason = self._train.reason or self._score.reason
        if reason and not self._noted:
            self._noted = True
            self.notices.append(not_recorded(reason))

    def _batches(self) -> Iterator[Batch]:
        """Return the batches of the next epoch, the same in all processes."""
        generator = epoch_generator(self.seed, self.epoch, self.device)
        batches = self.examples.training(self.recipe, generator)
        if self.peers.count > 1 and not self.examples.repeatable:
            batches = self.peers.sent(batches, self.device)
        return mixed(batches, self.recipe, host_rng(generator)) if self.recipe.mixes else batches

    def _rate(self, step: int, steps: int) -> float:
        """Return the learning rate of a step of this epoch, which is that of its middle.

        An iterable may not know the number of its steps, 0; then all have the same rate.
        """
        share = (step + 0.5) / steps if steps else 0.5
        return self.recipe.lr_at(min(1.0, (self.epoch + share) / self.epochs))

    def _average(self) -> None:
        if self._ema:
            self._ema.update()

    def state(self) -> dict[str, Any]:
        """Return the state for ``load_state``; the next step changes its tensors, so save it."""
        return {
            "epoch": self.epoch,
            **self._weights(),
            "groups": grouping(self.child),
            "optimizer": {"name": self.recipe.optimizer, "moments": self._optimizer.moments},
            "ema": self._ema and self._ema.state(),
            "stopping": self._stopping.state(),
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Continue from a state of the same architecture; recipe, seed and length stay."""
        self.epoch = state["epoch"]
        self._put(state)
        self._optimizer.load(moments_in(state, self.recipe))
        if self._ema:
            self._ema.begin()
            if state.get("ema"):
                self._ema.load(state["ema"])
        if "stopping" in state:
            self._stopping.load(state["stopping"])

    def _weights(self) -> dict[str, Any]:
        """Return the tensors of the child.

        Training may change the buffers that a ``state_dict`` leaves out; they are ``passing``.
        """
        kept = self.child.state_dict()
        buffers = self.child.named_buffers()
        return {
            "child": kept,
            "passing": {name: part for name, part in buffers if name not in kept},
        }

    def _put(self, weights: Mapping[str, Any]) -> None:
        """Give the child the tensors of ``_weights``."""
        self.child.load_state_dict(weights["child"])
        for name, buffer in weights.get("passing", {}).items():
            layer, _, own = name.rpartition(".")
            setattr(self.child.get_submodule(layer), own, buffer.to(self.device, copy=True))

    def test(self, examples: Callable[[], Batches]) -> dict[str, float]:
        """Return the child's scores on the test data, with the prefix ``test_``."""
        scores = scored(self.child, self._score, examples())
        return {f"test_{name}": value for name, value in scores.metrics.items()}

    def close(self) -> None:
        """Release the memory of what was recorded."""
        self._train.forget()
        self._score.forget()

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
        moments = moments_in(state, self.recipe)
        self._optimizer.inherit(moments, in_common(self.child, *given))
        if self._ema:
            self._ema.begin()
        return share
