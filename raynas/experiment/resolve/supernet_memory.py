"""Whether the device can hold a supernet; predicted before it is built, without its memory."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import torch
from torch import nn

from raynas.costs import GPUTraining
from raynas.data import Data, LoopData
from raynas.errors import ResourceError, SpaceError
from raynas.execution.memory_limit import MemoryLimit, limit_here
from raynas.execution.step_memory import on_gpu, resident_bytes, step_bytes
from raynas.experiment.resolve.machine import may_use_gpus, trains_elsewhere
from raynas.experiment.resolve.resolved import ResolvedExperiment
from raynas.oneshot.methods.method import Method
from raynas.oneshot.mixed import MixedSupernet
from raynas.oneshot.search import METHOD
from raynas.oneshot.supernet import Supernet
from raynas.oneshot.supernet_build import SupernetBuild
from raynas.rng import path_rng
from raynas.space import Architecture
from raynas.training.recipe import Recipe

_LOG = logging.getLogger("raynas")

_LOOKED_AT: Final = 4  # architectures, for the memory of one path
_GB: Final = 1e9


def limit_of(resolved: ResolvedExperiment) -> MemoryLimit | None:
    """Return the memory of what trains supernets; none if that may be other machines."""
    if trains_elsewhere(resolved.experiment):
        return None
    return limit_here(gpus=may_use_gpus(resolved.experiment))


@dataclass(frozen=True, slots=True)
class SupernetMemory:
    """Refuses supernets that do not fit into memory.

    Attributes:
        data: The data.
        limit: The memory of what trains supernets; none if it is not known.
    """

    data: Data | LoopData
    limit: MemoryLimit | None

    def check(self, method: Method, recipe: Recipe, build: SupernetBuild) -> None:
        """Check that a supernet can be trained; one that cannot be predicted is let pass.

        Args:
            method: The method.
            recipe: How it is trained.
            build: Makes it.

        Raises:
            ResourceError: It needs more memory than there is.
            SpaceError: The space cannot serve it.
        """
        if self.limit is None:
            return
        try:
            needed = self.needed(method, recipe, build)
        except SpaceError:
            raise
        except Exception as error:  # noqa: BLE001 - a user's code may look at numbers
            _LOG.warning(
                "the memory of the supernet of %s is not predicted: %s", method.name, error
            )
            return
        if needed > self.limit.memory:
            has = self.limit.memory / _GB
            raise ResourceError(
                f"the supernet of {method.name} needs about {needed / _GB:.1f} GB of memory, and "
                f"{self.limit.what} has {has:.1f} GB. {_advice(method, recipe)}"
            )

    def needed(self, method: Method, recipe: Recipe, build: SupernetBuild) -> int:
        """Return the bytes of training a supernet: all weights, and what a step computes.

        If the weights alone do not fit, it is only these.
        """
        how, rng = self._how(recipe), path_rng(build.seed, 0)
        some = [build.space.sample(rng) for _ in range(_LOOKED_AT)]
        with torch.device("meta"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch says that loaded weights are not used
            supernet: Supernet = build(Architecture({METHOD: method.name}))
            is_mixed = isinstance(supernet, MixedSupernet)
            served = [] if is_mixed else [one for one in some if supernet.serves(one)]
            paths = [build.build(one) for one in served]
        kept = _kept(supernet, how)
        if self.limit and kept > self.limit.memory:
            return kept
        if isinstance(supernet, MixedSupernet):
            step = self._mixed(supernet, [] if method.computes_all else some, recipe, how)
        else:
            own = max(self._step(path, recipe, how) - _kept(path, how) for path in paths)
            step = own + kept
        return resident_bytes(self.data) + step

    def _mixed(
        self,
        supernet: MixedSupernet,
        paths: Sequence[Architecture],
        recipe: Recipe,
        how: GPUTraining,
    ) -> int:
        """Return the most bytes of a step on one of the paths; without any, with all options."""
        if not paths:
            return self._step(supernet, recipe, how)
        steps = []
        for architecture in paths:
            supernet.take(architecture)
            steps.append(self._step(supernet, recipe, how))
        return max(steps)

    def _step(self, network: nn.Module, recipe: Recipe, how: GPUTraining) -> int:
        return step_bytes(network, self.data, recipe.batch_size, how)

    def _how(self, recipe: Recipe) -> GPUTraining:
        limit: Any = self.limit
        how = replace(on_gpu(recipe, self.data, bfloat16=limit.bfloat16), recorded=False)
        return how if limit.is_gpu else replace(how, bfloat16=False, workspace=0, beside=0)


def _kept(network: nn.Module, how: GPUTraining) -> int:
    """Return the bytes of weights, their moments and buffers."""
    weights = sum(one.nbytes for one in network.parameters())
    return weights * (1 + how.moments) + sum(one.nbytes for one in network.buffers())


def _advice(method: Method, recipe: Recipe) -> str:
    smaller = f"a smaller batch_size (it is {recipe.batch_size})"
    if method.computes_all and method.share > 1:
        return f"Take a greater share, a method of single paths such as spos, or {smaller}"
    if method.computes_all:
        return (
            "Take a method of single paths such as spos, or pc-darts, which mixes a part of the "
            f"channels, or {smaller}"
        )
    return f"It has the weights of all options: take them out of the space, or {smaller}"
