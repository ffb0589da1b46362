"""Weights from a network of another architecture: each layer that has kept its name.

After Net2Net (Chen, Goodfellow & Shlens, 2016, arXiv:1511.05641, section 2.2, Net2WiderNet): a
wider layer repeats units, and whatever reads a unit that is there n times gives each of them one
n-th of the weight. What the network computes stays the same.

Differs from the paper: which unit is repeated is not drawn, unit j repeats unit ``j mod old``, in
every layer. So no layer needs to know which others it is connected to: channels that are added up
(a shortcut), that meet one by one (a depthwise convolution, a normalisation, a gate), or that are
flattened, agree on what they repeat. Channels side by side (a concatenation) do not: behind those
nothing is preserved. New layers are not made an identity, they stay as they are. Beyond the paper,
a narrower layer keeps the first units; a larger kernel has the old one in its centre and zeros
around it, which changes nothing if both sides are odd and the padding keeps the size; a smaller
kernel is the old one's centre.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

_NOISE = 0.05


@torch.no_grad()
def inherit(
    child: nn.Module,
    parent: Mapping[str, Tensor],
    generator: torch.Generator,
    *,
    noise: float = _NOISE,
) -> float:
    """Fill a fresh child with what it can use of its parent's weights and statistics.

    A tensor of the same name and shape is copied; one of a linear layer, a convolution or a batch
    normalisation is fitted if only its sizes differ. Everything else of the child stays.

    Args:
        child: Changed in place; it keeps its device, types and memory layout.
        parent: Its ``state_dict``; left as it is.
        generator: Of the noise, on the CPU.
        noise: Repeated units are multiplied, weight by weight, with factors of mean 1 and this
            deviation. Without, they would remain twins if nothing in the training is random.

    Returns:
        Which share of the child's parameters (numbers, not tensors; no buffers) come from the
        parent. The zeros around a kernel do not.
    """
    sizes = {name: parameter.numel() for name, parameter in child.named_parameters()}
    inherited = 0
    for name, own in child.state_dict().items():
        given, layer = parent.get(name), child.get_submodule(name.rpartition(".")[0])
        if given is None or not _fits(layer, given, own):
            continue
        same = given.shape == own.shape
        own.copy_(given if same else fitted(given.cpu(), own.shape, generator, noise=noise))
        if name in sizes:
            inherited += _overlap(given.shape, own.shape)
    return inherited / max(1, sum(sizes.values()))


def fitted(
    given: Tensor, shape: Sequence[int], generator: torch.Generator, *, noise: float
) -> Tensor:
    """Return one tensor of a layer in the shape it has in another network.

    Args:
        given: On the CPU: ``[out]``, or ``[out, in, *kernel]``.
        shape: Of as many dimensions.
        generator: See ``inherit``, as is the next.
        noise: On repeated rows of weights.
    """
    old = len(given)
    fit = given[torch.arange(shape[0]) % old]
    if given.ndim == 1:
        return fit
    repeated = fit[old:]
    factors = torch.randn(repeated.shape, generator=generator, dtype=fit.dtype)
    repeated.mul_(1 + noise * factors)
    columns = torch.arange(shape[1]) % given.shape[1]
    fit = fit[:, columns] / columns.bincount()[columns].reshape(-1, *[1] * len(shape[2:]))
    margins = []
    for size, side in zip(reversed(given.shape[2:]), reversed(shape[2:]), strict=True):
        before = (side - size) // 2  # negative: that much is cut off
        margins += [before, side - size - before]
    return functional.pad(fit, margins)


def _fits(layer: nn.Module, given: Tensor, own: Tensor) -> bool:
    """Say whether the parent's tensor, as it is or fitted, can be the child's."""
    if given.shape == own.shape:
        return True
    if given.ndim != own.ndim:
        return False
    if isinstance(layer, _ConvNd) and given.ndim > 1:
        # Groups of one width repeat as wholes; others do not, and which they were is unknown.
        transposed = isinstance(layer, _ConvTransposeNd)
        return not transposed and (layer.groups == 1 or given.shape[1] == own.shape[1])
    return isinstance(layer, _ConvNd | nn.Linear | _BatchNorm)


def _overlap(given: Sequence[int], own: Sequence[int]) -> int:
    """Return how many numbers of the child's tensor are the parent's: all but new kernel."""
    kernel = (min(sides) for sides in zip(given[2:], own[2:], strict=True))
    return math.prod(own[:2]) * math.prod(kernel)
