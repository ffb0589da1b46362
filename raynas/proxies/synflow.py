"""Synaptic flow (Tanaka et al., 2020, arXiv:2006.05467)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from raynas.errors import TrialError
from raynas.proxies.subject import Subject, gradients, weights
from raynas.trees import mapped

_NORMS = (_NormBase, nn.GroupNorm, nn.LayerNorm)


def synflow(subject: Subject) -> float:
    """Return log10 of the flow through all weights.

    Differs from the paper: the logarithm is returned, which keeps the order and is easy to read;
    normalisation layers are skipped, as in Abdelfattah et al., 2021 (arXiv:2101.08134), because
    the flow is not proportional to the weights after a division by the deviation.

    Raises:
        TrialError: The flow from input to output is zero or not finite.
    """
    total = math.fsum(flows(subject).values())
    if not 0.0 < total < math.inf:
        raise TrialError(
            "synflow needs a finite flow above 0 from the input to the output of the network: "
            f"the flow is {total}; an activation may block every path"
        )
    return math.log10(total)


def flows(subject: Subject) -> dict[str, float]:
    """Return each weight's flow Σ|w ∂R/∂w|, R being the sum of the outputs for an input of ones.

    Every parameter is replaced by its absolute value. In a chain without biases each flow is R.

    Raises:
        SpaceError: There are no weights.
    """
    # The flow is a product over all layers; float32 would overflow at about 1e38.
    child = subject.copy().eval().double()
    with torch.no_grad():
        for parameter in child.parameters():
            parameter.abs_()
    for layer in child.modules():
        if isinstance(layer, _NORMS):
            layer.register_forward_hook(_passed_by)
    found = weights(child)
    slopes = gradients(
        subject.total(child, mapped(_ones, subject.batch.one)), list(found.values())
    )
    return {
        name: float((weight.detach() * slope).abs().sum())
        for (name, weight), slope in zip(found.items(), slopes, strict=True)
    }


def _ones(example: Tensor) -> Tensor:
    """Return ones for real numbers; ids are used as they are: their embeddings are weights."""
    return (
        torch.ones_like(example, dtype=torch.float64) if example.is_floating_point() else example
    )


def _passed_by(_norm: nn.Module, inputs: tuple[Tensor, ...], _output: Tensor) -> Tensor:
    return inputs[0].clone()  # the next layer may write into it
