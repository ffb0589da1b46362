"""A moving average of a child's weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


class Ema:
    """An exponential moving average of weights (Polyak & Juditsky, 1992).

    The child has the average between two epochs, so that all others (scores, checkpoints, heirs,
    the export) see only the average. It has the weights of the training within ``training``.

    Running statistics of normalisations are averaged like the weights, as with ``use_buffers`` of
    ``torch.optim.swa_utils.AveragedModel``. Differs from there: the decay of the step number n,
    counted from 0, is at most (1 + n) / (10 + n), as in TensorFlow's ``ExponentialMovingAverage``,
    because a short trial would otherwise be scored with the initial weights.
    """

    def __init__(self, child: nn.Module, decay: float) -> None:
        """Begin with the child's weights.

        Args:
            child: The network, on its device.
            decay: The share of the average that stays in a step, after the first steps.
        """
        self._child = child
        self._decay = decay
        self.begin()

    @torch.no_grad()
    def begin(self) -> None:
        """Begin anew with the weights that the child has now."""
        self._steps = 0
        self._other = {
            name: tensor.clone()
            for name, tensor in _changing(self._child).items()
            if tensor.isfinite().all()  # such as no mask of minus infinity, whose average is nan
        }

    @contextmanager
    def training(self) -> Iterator[None]:
        """Give the child the weights of the training until the end of the context."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def update(self) -> None:
        """Move the average towards the weights of the training, after a step.

        Nothing here waits for the device.
        """
        decay = min(self._decay, (1 + self._steps) / (10 + self._steps))
        self._steps += 1
        current = _changing(self._child)
        averages = [*self._other.values()]
        torch._foreach_lerp_(averages, [current[name] for name in self._other], 1.0 - decay)

    def state(self) -> dict[str, Any]:
        """Return the state; the weights of the training are in it, the average is not."""
        return {"steps": self._steps, "training": self._other}

    @torch.no_grad()
    def load(self, state: Mapping[str, Any]) -> None:
        """Continue from a state; the child has its average already."""
        self._steps = state["steps"]
        for name, own in self._other.items():
            own.copy_(state["training"][name])

    def _swap(self) -> None:
        current = _changing(self._child)
        for name, other in self._other.items():
            tensor = current[name]
            self._other[name], tensor.data = tensor.data, other


def _changing(child: nn.Module) -> dict[str, Tensor]:
    """Return the tensors of real or complex numbers that training can change, by name."""
    trained = ((name, one) for name, one in child.named_parameters() if one.requires_grad)
    tensors: dict[str, Tensor] = dict((*trained, *child.named_buffers()))
    return {
        name: one for name, one in tensors.items() if one.is_floating_point() or one.is_complex()
    }
