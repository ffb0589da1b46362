"""Measure the latency of each option of a supernet, on its device."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import Any, Final

import numpy as np
import torch
from torch import nn

from raynas.costs.count import evaluating
from raynas.costs.device import Device
from raynas.costs.timing import milliseconds
from raynas.errors import SpaceError
from raynas.oneshot.latency import LatencyTable
from raynas.oneshot.mixed import MixedSupernet
from raynas.oneshot.mixture import Mixture, Only
from raynas.rng import path_rng
from raynas.space import Architecture
from raynas.trees import first

_DIGITS: Final = 6  # of milliseconds: whole nanoseconds
_NETWORKS: Final = 8  # random paths that say how much more than its options a network takes

Uses = list[tuple[Mixture, tuple[Any, ...]]]
"""Each call of a mixture in a network, with its inputs."""


@torch.no_grad()
def measured(supernet: MixedSupernet, inputs: Any, rounds: int = 20) -> LatencyTable:
    """Measure each option with the inputs that it gets in a network, in evaluation mode.

    In a round, everything is run once, so that a slow moment of the machine does not hit one
    option alone; the median of the rounds counts. If a decision has several mixtures, as in cells
    that are repeated, their latencies are added. The rest is the median, over the networks of some
    random architectures, of what a whole network takes beyond its options. A path of the supernet
    would take longer than the network does, because each mixture takes time itself.

    Args:
        supernet: The supernet; its routes change.
        inputs: A batch of inputs on its device.
        rounds: How often everything is measured.

    Raises:
        SpaceError: A mixture is inside another one, or a network does not use it.
    """
    check_flat(supernet)
    check_used(supernet, inputs)
    rng = path_rng(0, 0)
    architectures = [supernet.space.sample(rng) for _ in range(_NETWORKS)]
    device = first(inputs).device
    with evaluating(supernet), ExitStack() as stack:
        options = [
            (one.path, at, partial(option, *args))
            for one, args in _uses(supernet, inputs, _first(supernet))
            for at, option in enumerate(one.options)
        ]
        children = _children(supernet, architectures)
        for one in children:
            stack.enter_context(evaluating(one))
        networks = [partial(one, inputs) for one in children]
        ms = _medians([*(call for *_, call in options), *networks], rounds, device)
    added = {path: [0.0] * count for path, count in supernet.options.items()}
    for (path, at, _), value in zip(options, ms, strict=False):
        added[path][at] += value
    relaxation = supernet.relaxation
    table = LatencyTable.of_space(Device.of(device), len(first(inputs)), relaxation.space, added)
    sums = [table.of(relaxation.path(one)) for one in architectures]
    beyond = np.subtract(ms[len(options) :], sums)
    return replace(table, rest_ms=float(np.median(beyond)))


def check_flat(supernet: MixedSupernet) -> None:
    """Check that no mixture is inside another one.

    Raises:
        SpaceError: One is: the latency of its options then depends on another decision.
    """
    mixtures = supernet.mixtures
    for name, one in mixtures.items():
        for outer, other in mixtures.items():
            if name.startswith(f"{outer}."):
                raise SpaceError(
                    "a latency table needs decisions that do not contain each other: "
                    f"{one.path!r} is below an option of {other.path!r}"
                )


@torch.no_grad()
def check_used(supernet: MixedSupernet, inputs: Any) -> None:
    """Check that some networks, among them that of the first options, use each decision.

    Args:
        supernet: The supernet; its routes change.
        inputs: A batch of inputs on its device.

    Raises:
        SpaceError: One does not: what an option takes then depends on other decisions.
    """
    rng = path_rng(0, 0)
    sampled = [supernet.places(supernet.space.sample(rng)) for _ in range(_NETWORKS)]
    with evaluating(supernet):
        for places in (_first(supernet), *sampled):
            used = {one.path for one, _ in _uses(supernet, inputs, places)}
            if idle := [path for path in supernet.options if path not in used]:
                raise SpaceError(
                    "a latency table needs decisions that every network uses, and some networks "
                    f"do not use the decision {idle[0]!r}. Limit the latency of whole networks, "
                    "which --probe measures, by --constraint 'latency_ms<=5' instead"
                )


def latencies_ms(networks: Sequence[nn.Module], inputs: Any, rounds: int = 20) -> list[float]:
    """Return the median latency of each network in evaluation mode, in milliseconds.

    They are measured in turns, as ``measured`` does.

    Args:
        networks: The networks.
        inputs: A batch of inputs on their device.
        rounds: How often each is run.
    """
    with ExitStack() as stack, torch.no_grad():
        for one in networks:
            stack.enter_context(evaluating(one))
        return _medians([partial(one, inputs) for one in networks], rounds, first(inputs).device)


def _first(supernet: MixedSupernet) -> dict[str, int]:
    """Return the places of the first options, by the paths of their decisions."""
    return dict.fromkeys(supernet.options, 0)


def _uses(supernet: MixedSupernet, inputs: Any, places: Mapping[str, int]) -> Uses:
    """Return the calls of the mixtures in the network of these options."""
    uses: Uses = []
    mixtures = supernet.mixtures.values()
    with ExitStack() as undo:
        for one in mixtures:
            hook = one.register_forward_pre_hook(lambda own, args: uses.append((own, args)))
            undo.callback(hook.remove)
        supernet.mix({path: Only(at) for path, at in places.items()})
        supernet(inputs)
    return uses


def _children(supernet: MixedSupernet, architectures: Sequence[Architecture]) -> list[nn.Module]:
    """Return networks with the weights of the supernet; no random number is used up."""
    device = next(supernet.parameters()).device
    with torch.random.fork_rng(devices=[]):
        made = [supernet.build(one).to(device) for one in architectures]
    for child, architecture in zip(made, architectures, strict=True):
        supernet.lend(child, architecture)
    return made


def _medians(calls: Sequence[Callable[[], Any]], rounds: int, device: torch.device) -> list[float]:
    """Return the median milliseconds of each call."""
    medians = np.median(milliseconds(calls, rounds, device), axis=0)
    found: list[float] = medians.round(_DIGITS).tolist()
    return found
