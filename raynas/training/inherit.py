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
not preserved behind channels that stand side by side (a concatenation), nor through what
normalises over all of them: new units, which have values of their own, are part of the mean and
variance of a wider layer normalisation, and no weights of it could take them out. It scales and
shifts the old units as it did, which comes near while new units are about as large as old ones. A
group normalisation with more groups of the same size is exact.

Differs from Net2Net (Chen, Goodfellow & Shlens, 2016, arXiv:1511.05641), which makes new units
copies of old ones: on digits these went on alike, and noise that parted them spoiled what they
computed. Nor is a new layer made an identity; it stays as it is. Weights have names and no wiring:
between two layers an identity would preserve the function, beside them, in a sum, only zeros
would, and behind an activation that is not idempotent neither does. A space knows, and may build
its layers so (a block with a shortcut whose last scale begins at zero adds nothing at first).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

_NORMS: Final = _NormBase | nn.LayerNorm | nn.RMSNorm | nn.GroupNorm

Part = tuple[tuple[slice, ...], tuple[slice, ...]]
"""Which part of the parent's tensor is which part of the child's."""


@torch.no_grad()
def inherit(
    child: nn.Module, parent: Mapping[str, Tensor], groups: Mapping[str, int] | None = None
) -> float:
    """Fill a fresh child with what it can use of its parent's weights and statistics.

    A tensor of the same name and shape is copied; one of a linear layer, a convolution or a
    normalisation is fitted if only its sizes differ. Everything else of the child stays.

    Args:
        child: Changed in place; it keeps its device, types and memory layout.
        parent: Its ``state_dict``, on any device; left as it is.
        groups: Its ``grouping``; none if that is not known.

    Returns:
        Which share of the child's parameters (numbers, not tensors; no buffers) are the parent's.
        The zeros that keep new weights from acting are not.
    """
    sizes = {name: parameter.numel() for name, parameter in child.named_parameters()}
    tensors, inherited = child.state_dict(), 0
    for name, (there, here) in in_common(child, parent, groups).items():
        own = tensors[name]
        if own.ndim > 1:
            own[: len(parent[name])] = 0
        own[here].copy_(parent[name][there])
        if name in sizes:
            inherited += own[here].numel()
    return inherited / max(1, sum(sizes.values()))


def grouping(network: nn.Module) -> dict[str, int]:
    """Return how many groups each convolution has, by its name: weights do not tell."""
    layers = network.named_modules()
    return {name: layer.groups for name, layer in layers if isinstance(layer, _ConvNd)}


def in_common(
    child: nn.Module, parent: Mapping[str, Tensor], groups: Mapping[str, int] | None = None
) -> dict[str, Part]:
    """Return by name what the parent's tensors and the child's have in common, as ``inherit``."""
    parts = {}
    for name, own in child.state_dict().items():
        layer, given = name.rpartition(".")[0], parent.get(name)
        theirs = None if groups is None else groups.get(layer)
        if given is not None and _fits(child.get_submodule(layer), theirs, given, own):
            parts[name] = _common(given, own)
    return parts


def _fits(layer: nn.Module, groups: int | None, given: Tensor, own: Tensor) -> bool:
    """Say whether the parent's tensor, or a part of it, can be the child's."""
    if given.ndim != own.ndim:
        return False
    if isinstance(layer, _ConvNd) and given.ndim > 1:
        return _reads_alike(layer, groups, given, own)
    if isinstance(layer, _NORMS) and given.ndim > 1:  # it normalises over places, too
        return given.shape == own.shape
    return given.shape == own.shape or isinstance(layer, _ConvNd | nn.Linear | _NORMS)


def _reads_alike(layer: _ConvNd, groups: int | None, given: Tensor, own: Tensor) -> bool:
    """Say whether the filters that two convolutions have in common read the same channels.

    Of groups of one size, the first are the parent's; of others, no unit reads the same.
    """
    if isinstance(layer, _ConvTransposeNd):
        return given.shape == own.shape and groups in (layer.groups, None)
    if groups is None:  # as in checkpoints of old
        return layer.groups == 1 or given.shape[1] == own.shape[1]
    if groups == layer.groups == 1:
        return True
    theirs, mine = len(given) // groups, len(own) // layer.groups
    return (theirs, given.shape[1]) == (mine, own.shape[1])


def _common(given: Tensor, own: Tensor) -> Part:
    """Return which part of ``[out, in, *kernel]`` two tensors share: first units, the centre."""
    there, here = [], []
    for i, sides in enumerate(zip(given.shape, own.shape, strict=True)):
        side = min(sides)
        starts = ((whole - side) // 2 if i > 1 else 0 for whole in sides)
        one, other = (slice(start, start + side) for start in starts)
        there.append(one)
        here.append(other)
    return tuple(there), tuple(here)
