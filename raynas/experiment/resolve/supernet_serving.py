"""The ``build`` of the supernets of an experiment, and what it cannot serve. Loads torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from raynas.costs.device import devices_here
from raynas.errors import RaynasError, SpaceError
from raynas.experiment.resolve.machine import may_use_gpus, trains_elsewhere
from raynas.experiment.resolve.references import name_of
from raynas.experiment.resolve.resolved import ResolvedExperiment
from raynas.experiment.resolve.supernet_memory import SupernetMemory, limit_of
from raynas.oneshot.feasibility import Feasibility
from raynas.oneshot.loop import SupernetLoop
from raynas.oneshot.methods.method import Method, check_parallel
from raynas.oneshot.relaxation import plain
from raynas.oneshot.search import METHOD
from raynas.oneshot.supernet_build import SupernetBuild
from raynas.space import Architecture
from raynas.training.loading import example


def checked_build(
    resolved: ResolvedExperiment,
    made: Mapping[str, Method],
    loop: SupernetLoop,
    feasibility: Feasibility,
) -> SupernetBuild:
    """Return what builds the supernets, after each was built once and given an example.

    Raises:
        ConfigError: A method cannot be trained on the devices that trials get, or no network
            keeps the constraints.
        SpaceError: The space cannot serve a method.
    """
    space = resolved.space
    build = SupernetBuild(
        resolved.build,
        space.space,
        space.relaxation or plain(space.space),
        {name: one.share for name, one in made.items()},
        resolved.experiment.seed,
    )
    inputs, experiment = example(resolved.data, 2), resolved.experiment
    here = devices_here(max(1, int(experiment.cpus_per_trial)), gpus=may_use_gpus(experiment))
    memory = SupernetMemory(resolved.data, limit_of(resolved))
    for method in made.values():
        if experiment.workers_per_supernet > 1:
            check_parallel(method)
        if not trains_elsewhere(experiment):
            method.check_devices(here)
        method.told(build.relaxation, feasibility)
        recipe = loop.recipe_of(method, resolved.recipe)
        fits = partial(memory.check, method, recipe)
        build = serving(name_of(experiment.space), build, method, inputs, fits)
    return build


def serving(
    space: str,
    build: SupernetBuild,
    method: Method,
    inputs: Any,
    check: Callable[[SupernetBuild], None],
) -> SupernetBuild:
    """Return a build that serves a method: by mixed paths, or else by single ones.

    Args:
        space: What the user calls the space.
        build: Makes a supernet of mixed paths.
        method: The method.
        inputs: An example, on the CPU.
        check: Refuses what must not be built, by an error.

    Raises:
        SpaceError: The space serves neither.
    """
    single = replace(build, shares={**build.shares, method.name: 0})
    refused: Exception
    for tried in (build,) if method.mixes else (build, single):
        try:
            check(tried)
            supernet = tried(Architecture({METHOD: method.name}))
            method.check(supernet, inputs)
            with torch.no_grad():
                supernet.eval()(inputs)
        except RaynasError as error:
            refused, why = error, str(error)
        except Exception as error:  # noqa: BLE001 - a user's code may raise anything
            refused, why = error, f"{type(error).__name__}: {error}"
        else:
            return tried
    raise SpaceError(
        f"the method {method.name!r} cannot serve the space {space}: {why}"
    ) from refused
