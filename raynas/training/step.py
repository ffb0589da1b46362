"""One step of training, and one of scoring."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from raynas.errors import SpaceError
from raynas.goals import Goal
from raynas.goals.outputs import described
from raynas.training.mixing import Mixed
from raynas.training.optimizers import Optimizer
from raynas.training.optimizers.optimizer import Rate
from raynas.training.peers import ALONE, Peers
from raynas.training.precision import precision_of
from raynas.trees import first, mapped


class TrainingStep:
    """Computes the loss and its gradients, and changes the weights.

    With one process, nothing here waits for the device, and the learning rate may be a tensor.
    With several, each computes the loss and the gradients of its part of a batch.
    """

    def __init__(
        self,
        child: nn.Module,
        goal: Goal,
        optimizer: Optimizer,
        device: torch.device,
        peers: Peers = ALONE,
    ) -> None:
        """Prepare.

        Args:
            child: The network, on the device.
            goal: What is learnt.
            optimizer: The optimizer of its parameters; its recipe is that of the training.
            device: The training device.
            peers: The processes that train the network together.
        """
        self._child = child
        self._goal = goal
        self._peers = peers
        self._optimizer = optimizer
        self._recipe = optimizer.recipe
        self._forward: Any = torch.compile(child) if self._recipe.compile else child
        self._precision = precision_of(device, self._recipe.precision)
        self._waiting = 0  # batches whose gradients were added since the last change

    def __call__(self, inputs: Any, targets: Any, lr: Rate | None) -> Tensor:
        """Train on a batch; return its mean loss.

        Args:
            inputs: The inputs of the batch.
            targets: Its targets.
            lr: The learning rate; none to keep the gradients for the next batch.

        Returns:
            With several processes, a number whose mean over them is the mean loss.

        Raises:
            SpaceError: The loss is not one number with a gradient.
            DataError: Several processes cannot divide the batch.
        """
        size = len(first(targets))
        (inputs, targets), factor = self._peers.part((inputs, targets), self._goal)
        with self._precision:
            loss = loss_of(self._goal, self._forward(inputs), targets)
        if self._peers.count > 1:
            loss = loss * factor
        if self._recipe.accumulate == 1:
            torch.autograd.backward(loss)
        else:
            torch.autograd.backward(loss * size)
            self._waiting += size
        if lr is not None:
            self.change(lr)
        return loss.detach()

    def change(self, lr: Rate) -> None:
        """Change the weights by the gradients so far; parameters without one stay.

        Raises:
            TrialError: Several processes have gradients of different weights.
        """
        self._peers.mean_gradients(self._child.parameters())
        if self._waiting:
            gradients = [one.grad for one in self._child.parameters() if one.grad is not None]
            if gradients:
                torch._foreach_div_(gradients, self._waiting)
            self._waiting = 0
        if self._recipe.grad_clip:
            nn.utils.clip_grad_norm_(self._child.parameters(), self._recipe.grad_clip)
        self._optimizer.step(lr)


def loss_of(goal: Goal, outputs: Any, targets: Any) -> Tensor:
    """Return the loss of a batch in training.

    Raises:
        SpaceError: It is not one number with a gradient.
    """
    if isinstance(targets, Mixed):
        one, other = (loss_of(goal, outputs, part) for part in targets[:2])
        return targets.share * one + (1.0 - targets.share) * other
    loss: Any = goal.loss(outputs, targets)
    if not isinstance(loss, Tensor) or loss.ndim or not loss.requires_grad:
        raise SpaceError(
            f"the loss of {type(goal).__name__} must be a tensor with one number and a gradient: "
            f"got {described(loss)}"
        )
    return loss


class ScoringStep:
    """Computes the losses and the predictions of a batch in evaluation; nothing waits."""

    def __init__(
        self, child: nn.Module, goal: Goal, device: torch.device, precision: str = "auto"
    ) -> None:
        """Prepare.

        Args:
            child: The network, on the device.
            goal: What was learnt.
            device: The device.
            precision: As in the recipe.
        """
        self._child = child
        self._goal = goal
        self._precision = precision_of(device, precision)

    def __call__(self, inputs: Any, targets: Any) -> tuple[Tensor, Any]:
        """Return the loss of each example, or the mean loss, and the predictions.

        Predictions are float32, because metrics do not compute in bfloat16.
        """
        with self._precision:
            outputs = self._child(inputs)
            losses = self._goal.losses(outputs, targets)
            if losses is None:
                losses = self._goal.loss(outputs, targets)
        return losses, mapped(_full_precision, self._goal.predictions(outputs))


def _full_precision(part: Any) -> Any:
    return part.float() if isinstance(part, Tensor) and part.dtype == torch.bfloat16 else part
