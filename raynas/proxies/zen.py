"""The Zen-score: how much features change with the input, for random weights."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from raynas.errors import SpaceError, TrialError
from raynas.intercept import Intercept
from raynas.proxies.subject import Subject
from raynas.rng import probe_generator

_POOLS: Final = (torch.ops.aten.mean, torch.ops.aten._adaptive_avg_pool2d)  # noqa: SLF001
_REPEATS: Final = 32
_IMAGES: Final = 16  # the largest number of noise images, as in the authors' script
_STEP: Final = 0.01


def zen(subject: Subject, repeats: int = _REPEATS) -> float:
    """Return the mean score of random weights on noise (Lin et al., 2021, arXiv:2102.01063).

    The score is log E‖f(x) - f(x + 0.01 ε)‖₁ + Σ log s. Here f is the features before the global
    average pooling, and s is the deviation that each batch normalisation divides by.

    Differs from the authors' code: s is that of the batch, not a moving average over the repeats.

    Raises:
        SpaceError: The examples are not images, or the network has no global average pooling.
        TrialError: The features do not depend on the input.
    """
    like = subject.batch.single[:_IMAGES]
    if like.ndim != 4:
        raise SpaceError(
            "zen needs images [examples, channels, height, width]: "
            f"got examples {tuple(subject.batch.single.shape)}"
        )
    child = subject.copy()
    generator = probe_generator(subject.seed, like.device)
    scales: list[Tensor] = []
    for layer in child.modules():
        if isinstance(layer, _BatchNorm):
            layer.register_forward_pre_hook(_noting(scales))
    return math.fsum(_once(child, like, generator, scales) for _ in range(repeats)) / repeats


@torch.no_grad()
def _once(
    child: nn.Module, like: Tensor, generator: torch.Generator, scales: list[Tensor]
) -> float:
    _draw_weights(child, generator)
    noise, step = (torch.empty_like(like).normal_(generator=generator) for _ in range(2))
    changed = _features(child, noise + _STEP * step)
    scales.clear()
    change = float((_features(child, noise) - changed).abs().flatten(1).sum(1).mean())
    if not 0.0 < change < math.inf:
        raise TrialError(f"zen needs features that change with the input: they change by {change}")
    return math.log(change) + sum(float(scale.log()) for scale in scales)


def _draw_weights(child: nn.Module, generator: torch.Generator) -> None:
    """Draw weights from a standard normal; biases become 0 and the scales of norms 1."""
    for name, parameter in child.named_parameters():
        if parameter.ndim > 1:
            parameter.normal_(generator=generator)
        else:
            parameter.fill_(0.0 if name.endswith("bias") else 1.0)


def _features(child: nn.Module, images: Tensor) -> Tensor:
    """Return the input of the last global average pooling."""
    found: list[Tensor] = []

    def compute(operation: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        if operation.overloadpacket in _POOLS and _over_all_pixels(*args[:2]):
            found[:] = [args[0]]
        return operation(*args, **kwargs)

    with Intercept(compute):
        child(images)
    if not found:
        raise SpaceError(
            "zen needs a global average pooling at the end of the network: it has none"
        )
    return found[0]


def _over_all_pixels(given: Tensor, axes: Any = None) -> bool:
    """Return whether a mean is over height and width, or pools to a size of 1 x 1."""
    return given.ndim == 4 and sorted(axis % 4 for axis in axes or ()) in ([2, 3], [1, 1])


def _noting(scales: list[Tensor]) -> Any:
    def note(norm: Any, inputs: tuple[Tensor, ...]) -> None:
        given = inputs[0]
        variance = given.var([axis for axis in range(given.ndim) if axis != 1]).mean()
        scales.append((variance + norm.eps).sqrt())

    return note
