"""A child that proxies score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from raynas.costs import Costs, copied, measure
from raynas.errors import SpaceError
from raynas.proxies.batch import Batch
from raynas.trees import leaves


@dataclass(frozen=True)
class Subject:
    """An untrained child and its examples; results that several proxies need are computed once.

    Proxies work on copies: the child, its hooks, modes, gradients and running statistics never
    change.

    Attributes:
        child: The network, on the device of the batch.
        batch: The examples.
        seed: The seed of proxies that draw random numbers.
    """

    child: nn.Module
    batch: Batch
    seed: int = 0

    def copy(self) -> nn.Module:
        """Return a copy whose normalisations use batch statistics, and whose dropout is off.

        The authors of the proxies ran their networks like this; these had no dropout. All other
        layers are in evaluation mode, in which auxiliary heads are off, too.
        """
        child = copied(self.child).eval()
        for layer in child.modules():
            if isinstance(layer, _NormBase):
                layer.train()
        images = any(tensor.ndim == 4 for tensor in leaves(self.batch.inputs))
        return child.to(memory_format=torch.channels_last) if images else child

    def loss(self, child: nn.Module) -> Tensor:
        """Return the loss of a copy on the batch, such as the mean cross-entropy (nats).

        Raises:
            SpaceError: The child's output has the wrong shape.
        """
        return self.batch.goal.loss(child(self.batch.inputs), self.batch.targets)

    def total(self, child: nn.Module, inputs: Any) -> Tensor:
        """Return the sum of all predictions of a copy for some inputs.

        Raises:
            SpaceError: The child's output has the wrong type.
        """
        predictions = self.batch.goal.predictions(child(inputs))
        return sum((part.sum() for part in leaves(predictions)), torch.zeros(()))

    @cached_property
    def slopes(self) -> list[tuple[Tensor, Tensor]]:
        """Every weight with its gradient of the loss.

        Raises:
            SpaceError: As for ``loss``, ``weights`` and ``gradients``.
        """
        child = self.copy()
        found = list(weights(child).values())
        return list(zip(found, gradients(self.loss(child), found), strict=True))

    @cached_property
    def costs(self) -> Costs:
        """Parameters and multiply-adds."""
        return measure(self.child, self.batch.one)


def weights(child: nn.Module) -> dict[str, Tensor]:
    """Return by name the weights for the proxies: trainable parameters without biases and norms.

    These have two or more dimensions: kernels of convolutions, matrices of linear layers.

    Raises:
        SpaceError: There are no such weights.
    """
    found: dict[str, Tensor] = {
        name: parameter
        for name, parameter in child.named_parameters()
        if parameter.requires_grad and parameter.ndim > 1
    }
    if not found:
        raise SpaceError(
            "this proxy needs trainable weights of convolutions or linear layers: "
            "the network has none"
        )
    return found


def gradients(
    output: Tensor, by: list[Tensor], *, create_graph: bool = False
) -> tuple[Tensor, ...]:
    """Return the gradient of a scalar with respect to each tensor; zero if independent of it.

    Raises:
        SpaceError: The scalar depends on none of the tensors.
    """
    found: Sequence[Tensor | None] = ()
    if by and output.requires_grad:
        found = torch.autograd.grad(output, by, create_graph=create_graph, allow_unused=True)
    if all(gradient is None for gradient in found):
        raise SpaceError(
            "this proxy needs gradients, and the network has none: its parameters are frozen, "
            "or it computes under torch.no_grad"
        )
    return tuple(
        torch.zeros_like(tensor) if gradient is None else gradient
        for tensor, gradient in zip(by, found, strict=True)
    )
