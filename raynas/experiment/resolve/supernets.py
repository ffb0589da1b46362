"""The experiment that trains the supernets of another experiment, and what it cannot serve.

Loads torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import torch

from raynas.data import Data, Loop
from raynas.errors import ConfigError, SpaceError
from raynas.execution.plan import Plan
from raynas.execution.trial_spec import ONCE
from raynas.experiment.experiment import Experiment
from raynas.experiment.resolve.references import SpaceModule
from raynas.experiment.resolve.resolved import ResolvedExperiment
from raynas.oneshot.loop import SupernetLoop, method_of
from raynas.oneshot.methods.method import Method
from raynas.oneshot.relaxation import plain
from raynas.oneshot.search import METHOD, EachMethod, supernets
from raynas.oneshot.supernet_build import SupernetBuild
from raynas.schedulers.run_to_end import RunToEnd
from raynas.space import Architecture
from raynas.training.loading import example
from raynas.trial import Objective

CONTROL: Final = "random-ws"
FOLDER: Final = "supernets"
_LONGER: Final = 6  # epochs of a supernet per epoch of a trial
_VALID: Final = "val_"


def supernet_experiment(resolved: ResolvedExperiment) -> ResolvedExperiment:
    """Return the experiment that trains the supernets, in a folder of the run.

    It has a trial for each method, and one for the control.

    Raises:
        ConfigError: A method is unknown, or cannot serve the task or the objective.
        SpaceError: A method cannot serve the space.
    """
    experiment = resolved.experiment
    methods = tuple(dict.fromkeys((*experiment.methods, CONTROL)))
    scored = _scored(resolved)
    options = _options(experiment)
    space = supernets(methods)
    build = _checked(resolved, methods, options)
    epochs = experiment.supernet_epochs or _LONGER * resolved.epochs
    shared = f"shared_{scored.metric}"
    mine = replace(
        experiment,
        output=experiment.output / FOLDER,
        objective=f"{shared}:{scored.direction}",
        epochs=epochs,
        trials=len(methods),
        time=None,
        gpu_hours=None,
        target=None,
    )
    loop = _loop(experiment, scored, options)
    searcher = EachMethod(space)
    plan = Plan(space, searcher, RunToEnd(), len(methods), epochs, experiment.seed, mine.limits)
    return replace(
        resolved,
        experiment=mine,
        space=SpaceModule(space, build, None, None, resolved.space.home),
        build=build,
        loop=loop,
        repeats=ONCE,
        plan=plan,
        dressed=lambda _: searcher,
    )


def _scored(resolved: ResolvedExperiment) -> Objective:
    """Return the objective without its prefix, if shared weights can score it.

    Raises:
        ConfigError: They cannot.
    """
    if resolved.loop or not isinstance(resolved.data, Data):
        raise ConfigError(
            "a one-shot method trains a supernet by the goal of the task, and this task has a "
            "loop of its own: leave method out"
        )
    first, *others = resolved.experiment.objectives
    if others or not first.metric.startswith(_VALID):
        names = ", ".join(one.metric for one in resolved.experiment.objectives)
        raise ConfigError(
            f"a one-shot method scores architectures by one metric on validation data, such as "
            f"val_accuracy: got the objective {names}"
        )
    return Objective(first.metric.removeprefix(_VALID), first.direction)


def _options(experiment: Experiment) -> dict[str, dict[str, Any]]:
    """Return the options by method; without a method's name, they are those of the only one.

    Raises:
        ConfigError: An option names no method.
    """
    found: dict[str, dict[str, Any]] = {}
    for name, value in experiment.method_options.items():
        method, dot, option = name.rpartition(".")
        if not dot and len(experiment.methods) > 1:
            raise ConfigError(
                f"with several methods, an option must name its method, as in "
                f"{experiment.methods[0]}.{name}: got {name!r}"
            )
        found.setdefault(method if dot else experiment.methods[0], {})[option] = value
    return found


def _checked(
    resolved: ResolvedExperiment, methods: tuple[str, ...], options: Mapping[str, Any]
) -> SupernetBuild:
    """Return what builds the supernets, after each was built once and given an example.

    Raises:
        SpaceError: The space cannot serve a method.
    """
    space = resolved.space
    made = {name: method_of(name, options.get(name, {})) for name in methods}
    if strange := [name for name in options if name not in made]:
        raise ConfigError(
            f"options are given for {', '.join(strange)}, but that method is not run"
        )
    build = SupernetBuild(
        resolved.build,
        space.space,
        space.relaxation or plain(space.space),
        {name: one.share for name, one in made.items()},
        resolved.experiment.seed,
    )
    inputs = example(resolved.data, 2)
    for name, method in made.items():
        build = _serving(build, name, method, inputs)
    return build


def _serving(build: SupernetBuild, name: str, method: Method, inputs: Any) -> SupernetBuild:
    """Return a build that serves a method: by mixed paths, or else by single ones.

    Raises:
        SpaceError: The space serves neither.
    """
    single = replace(build, shares={**build.shares, name: 0})
    for tried in (build,) if method.mixes else (build, single):
        try:
            supernet = tried(Architecture({METHOD: name}))
            method.check(supernet)
            with torch.no_grad():
                supernet.eval()(inputs)
        except SpaceError as error:
            refused = error
        else:
            return tried
    raise SpaceError(f"the method {name!r} cannot serve this space: {refused}") from refused


def _loop(
    experiment: Experiment, scored: Objective, options: Mapping[str, Mapping[str, Any]]
) -> Loop:
    return Loop(SupernetLoop(scored, options, experiment.training).fit)
