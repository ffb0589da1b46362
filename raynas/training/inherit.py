"""Inherit weights from a network of another architecture, for all layers with the same name.

The smaller network is put inside the larger one. If the child is wider, its first units are the
parent's, and their weights from new units are zero; the new units keep their initial weights
(Berner et al., 2019, arXiv:1912.06680, appendix B). If a kernel is larger, the parent's kernel is
its centre, with zeros around it. So the child computes the same function as the parent, and every
new unit can be used after the first step. If the child is narrower, or a kernel is smaller, the
first units and the centre of the kernel are kept.

All layers number their units in the same order, so no layer needs to know its connections. The
function is preserved through successive layers, through sums of channels (a shortcut), through
operations on single channels (a depthwise convolution, a batch normalisation, a gate), and through
flattening; for larger kernels, if both sides are odd and the padding keeps the size. It is not
preserved after a concatenation of channels, nor through a normalisation over all channels: the
values of new units change the mean and variance of a wider layer normalisation, and no weights can
remove this. Its scale and shift of the old units are kept; this is a good approximation while new
units are about as large as old ones. A group normalisation with more groups of the same size is
exact.

Differs from Net2Net (Chen, Goodfellow & Shlens, 2016, arXiv:1511.05641), in which new units are
copies of old ones: on digits the copies stayed equal, and noise that separates them damaged the
function. A new layer is not made an identity; it keeps its initial weights. Weights have names,
but no information about connections: an identity preserves the function only between two layers,
zeros only in a sum, and after an activation that is not idempotent neither does. A space can build
its layers accordingly (a block with a shortcut whose last scale begins at zero adds nothing at
first).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

_NORMS: Final = _NormBase | nn.LayerNorm | nn.RMSNorm | nn.GroupNorm

Part = tuple[tuple[slice, ...], tuple[slice, ...]]
"""A part of the parent's tensor, and the part of the child's tensor that it becomes."""


@torch.no_grad()
def inherit(
    child: nn.Module, parent: Mapping[str, Tensor], groups: Mapping[str, int] | None = None
) -> float:
    """Copy the weights and statistics of a parent that fit into a new child.

    A tensor of the same name and shape is copied. A tensor of a linear layer, a convolution or a
    normalisation is cut or extended if only its sizes differ. All other tensors are not changed.

    Args:
        child: Changed in place; it keeps its device, types and memory layout.
        parent: The parent's ``state_dict``, on any device; it is not changed.
        groups: The parent's ``grouping``; none if unknown.

    Returns:
        The share of the child's parameters (counted as numbers, without buffers) that are from
        the parent. The zeros for new units do not count.
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
    """Return the number of groups of each convolution, by name; the weights do not show it."""
    layers = network.named_modules(remove_duplicate=False)
    return {name: layer.groups for name, layer in layers if isinstance(layer, _ConvNd)}


def in_common(
    child: nn.Module, parent: Mapping[str, Tensor], groups: Mapping[str, int] | None = None
) -> dict[str, Part]:
    """Return by name the parts of the tensors that ``inherit`` copies."""
    parts, layers = {}, dict(child.named_modules(remove_duplicate=False))
    for name, own in child.state_dict().items():
        layer, given = name.rpartition(".")[0], parent.get(name)
        theirs = None if groups is None else groups.get(layer)
        if not isinstance(own, Tensor) or not isinstance(given, Tensor):
            continue  # an extra state
        if fits(layers[layer], theirs, given, own):
            parts[name] = common(given.shape, own.shape)
    return parts


def fits(layer: nn.Module, groups: int | None, given: Tensor, own: Tensor) -> bool:
    """Return whether the parent's tensor, or a part of it, can be the child's.

    Args:
        layer: The child's layer.
        groups: The groups of the parent's convolution; none if unknown, or if it is none.
        given: The parent's tensor.
        own: The child's tensor.
    """
    if given.ndim != own.ndim:
        return False
    if isinstance(layer, _ConvNd) and given.ndim > 1:
        return _reads_alike(layer, groups, given, own)
    if isinstance(layer, _NORMS) and given.ndim > 1:  # it normalises over places, too
        return given.shape == own.shape
    return given.shape == own.shape or isinstance(layer, _ConvNd | nn.Linear | _NORMS)


def _reads_alike(layer: _ConvNd, groups: int | None, given: Tensor, own: Tensor) -> bool:
    """Return whether the filters that two convolutions have in common read the same channels.

    If the groups have equal sizes, the first groups are the parent's; otherwise, no unit reads
    the same channels.
    """
    if isinstance(layer, _ConvTransposeNd):
        return given.shape == own.shape and groups in (layer.groups, None)
    if groups is None:  # as in old checkpoints
        return layer.groups == 1 or given.shape[1] == own.shape[1]
    if groups == layer.groups == 1:
        return True
    theirs, mine = len(given) // groups, len(own) // layer.groups
    return (theirs, given.shape[1]) == (mine, own.shape[1])


def common(given: Sequence[int], own: Sequence[int]) -> Part:
    """Return the shared part of tensors of two shapes ``[out, in, *kernel]``.

    It is the first units, and the centre of the kernel.
    """
    there, here = [], []
    for i, sides in enumerate(zip(given, own, strict=True)):
        side = min(sides)
        starts = ((whole - side) // 2 if i > 1 else 0 for whole in sides)
        one, other = (slice(start, start + side) for start in starts)
        there.append(one)
        here.append(other)
    return tuple(there), tuple(here)
