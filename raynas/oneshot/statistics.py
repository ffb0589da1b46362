"""The statistics of batch normalisations, which mislead in a supernet.

Each path changes the running statistics, so they are those of no path. A path is scored with
statistics of its own (Guo et al., 2020, arXiv:1904.00420, section 3.4).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


@contextmanager
def batch_statistics(network: nn.Module) -> Iterator[None]:
    """Put the network in evaluation mode, but normalise each batch by its own statistics.

    Running statistics stay as they are.
    """
    layers = _normalisations(network)
    before = [(layer, layer.momentum, layer.num_batches_tracked) for layer in layers]
    network.eval()
    for layer in layers:
        layer.train()
        layer.momentum = 0.0
        layer.num_batches_tracked = None
    try:
        yield
    finally:
        for layer, momentum, count in before:
            layer.momentum, layer.num_batches_tracked = momentum, count
            layer.eval()


@torch.no_grad()
def recalibrate(network: nn.Module, batches: Iterable[tuple[Any, Any]]) -> None:
    """Set the running statistics to the means over some batches, and end in evaluation mode.

    Args:
        network: The network; dropout is off while the batches pass.
        batches: Inputs and targets; the targets are not used.
    """
    layers = _normalisations(network)
    network.eval()
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # the mean of all batches
        layer.train()
    if layers:
        for inputs, _ in batches:
            network(inputs)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
        layer.eval()


def _normalisations(network: nn.Module) -> list[_BatchNorm]:
    """Return the batch normalisations with running statistics."""
    layers = (layer for layer in network.modules() if isinstance(layer, _BatchNorm))
    return [layer for layer in layers if layer.track_running_stats]
