"""Weights from a network of another architecture: each layer that has kept its name.

The smaller network is put inside the larger one. Where the child is wider, its first units are the
parent's and give no weight to the new ones; the new ones keep their fresh weights (Berner et al.,
2019, arXiv:1912.06680, appendix B). Where a kernel is larger, the parent's is its centre, with
zeros around it. So the child computes what the parent did, and every new unit is one of its own
that can be used after the first step. Where the child is narrower, or a kernel smaller, what it
has room for is kept.

All layers number their units alike, so none needs to know which others it is connected to: the
function is preserved through layers one after another, through what adds channels up (a shortcut),
through what takes them one by one (a depthwise convolution, a batch normalisation, a gate), and
through flattening; for larger kernels, if both sides are odd and the padding keeps the size. It is
not preserved behind channels that stand side by side (a concatenation).

Differs from Net2Net (Chen, Goodfellow & Shlens, 2016, arXiv:1511.05641), which makes new units
copies of old ones: on digits these went on alike, and noise that parted them spoiled what they
computed. Nor is a new layer made an identity; it stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd


@torch.no_grad()
def inherit(child: nn.Module, parent: Mapping[str, Tensor]) -> float:
    """Fill a fresh child with what it can use of its parent's weights and statistics.

    A tensor of the same name and shape is copied; one of a linear layer, a convolution or a batch
    normalisation is fitted if only its sizes differ. Everything else of the child stays.

    Args:
        child: Changed in place; it keeps its device, types and memory layout.
        parent: Its ``state_dict``, on any device; left as it is.

    Returns:
        Which share of the child's parameters (numbers, not tensors; no buffers) are the parent's.
        The zeros that keep new weights from acting are not.
    """
    sizes = {name: parameter.numel() for name, parameter in child.named_parameters()}
    inherited = 0
    for name, own in child.state_dict().items():
        given, layer = parent.get(name), child.get_submodule(name.rpartition(".")[0])
        if given is None or not _fits(layer, given, own):
            continue
        if own.ndim > 1:
            own[: len(given)] = 0
        there, here = _common(given, own)
        own[here].copy_(given[there])
        if name in sizes:
            inherited += own[here].numel()
    return inherited / max(1, sum(sizes.values()))


def _fits(layer: nn.Module, given: Tensor, own: Tensor) -> bool:
    """Say whether the parent's tensor, or a part of it, can be the child's."""
    if given.shape == own.shape:
        return True
    if given.ndim != own.ndim:
        return False
    if isinstance(layer, _ConvNd) and given.ndim > 1:
        # Of groups of one width, the first are the parent's; of others, no unit reads the same.
        transposed = isinstance(layer, _ConvTransposeNd)
        return not transposed and (layer.groups == 1 or given.shape[1] == own.shape[1])
    return isinstance(layer, _ConvNd | nn.Linear | _BatchNorm)


def _common(given: Tensor, own: Tensor) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Return which part of ``[out, in, *kernel]`` two tensors share: first units, the centre."""
    there, here = [], []
    for i, sides in enumerate(zip(given.shape, own.shape, strict=True)):
        side = min(sides)
        starts = ((whole - side) // 2 if i > 1 else 0 for whole in sides)
        one, other = (slice(start, start + side) for start in starts)
        there.append(one)
        here.append(other)
    return tuple(there), tuple(here)
