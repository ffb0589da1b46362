"""The experiment that trains the supernets of another experiment, and what it cannot serve.

Loads torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import torch

from raynas.data import Data, Loop
from raynas.errors import ConfigError, SpaceError
from raynas.execution.plan import Plan
from raynas.execution.training_context import TRAINING
from raynas.execution.trial_spec import ONCE
from raynas.experiment.experiment import Experiment
from raynas.experiment.resolve.references import SpaceModule
from raynas.experiment.resolve.resolved import ResolvedExperiment
from raynas.experiment.settings import USUAL_METHOD
from raynas.oneshot.loop import SupernetLoop, method_of
from raynas.oneshot.methods.method import Method
from raynas.oneshot.relaxation import Relaxation, plain
from raynas.oneshot.search import METHOD, SHARED, EachMethod, supernets
from raynas.oneshot.supernet_build import SupernetBuild
from raynas.schedulers.run_to_end import RunToEnd
from raynas.space import Architecture, Space
from raynas.training.loading import example
from raynas.trial import Objective

CONTROL: Final = USUAL_METHOD
FOLDER: Final = "supernets"
_LONGER: Final = 6  # epochs of a supernet per epoch of a trial
_VALID: Final = "val_"
_RECIPE: Final = f"{TRAINING}."


@dataclass(frozen=True, slots=True)
class Supernets:
    """The supernets of a run.

    Attributes:
        training: The experiment that trains them, in a folder of the run: a trial for each method,
            and one for the control.
        loop: How they are trained.
        space: The space of the architectures.
        relaxation: How the space becomes mixtures.
    """

    training: ResolvedExperiment
    loop: SupernetLoop
    space: Space
    relaxation: Relaxation


def supernets_of(resolved: ResolvedExperiment) -> Supernets:
    """Return the supernets of an experiment with a one-shot method.

    Raises:
        ConfigError: A method is unknown, or cannot serve the task or the objective.
        SpaceError: A method cannot serve the space.
    """
    experiment = resolved.experiment
    _check_alone(experiment)
    if recipe := [path for path in resolved.space.space.decisions if path.startswith(_RECIPE)]:
        raise ConfigError(
            f"shared weights are trained by one recipe, and the space decides {recipe[0]}: leave "
            "tune out, or method"
        )
    methods = experiment.methods[:1]
    if not experiment.shares:
        methods = tuple(dict.fromkeys((*experiment.methods, CONTROL)))
    scored = _scored(resolved)
    options = _options(experiment)
    space = supernets(methods)
    build = _checked(resolved, methods, options)
    epochs = experiment.supernet_epochs or _LONGER * resolved.epochs
    mine = replace(
        experiment,
        output=experiment.output / FOLDER,
        objective=f"{SHARED}{scored.metric}:{scored.direction}",
        epochs=epochs,
        trials=len(methods),
        target=None,
        proxies=(),
        finalists=0.0,
    )
    loop = SupernetLoop(scored, options, experiment.training)
    searcher = EachMethod(space)
    plan = Plan(space, searcher, RunToEnd(), len(methods), epochs, experiment.seed, mine.limits)
    training = replace(
        resolved,
        experiment=mine,
        space=SpaceModule(space, build, None, None, resolved.space.home),
        build=build,
        loop=Loop(loop.fit),
        repeats=ONCE,
        plan=plan,
        dressed=lambda _: searcher,
    )
    return Supernets(training, loop, build.space, build.relaxation)


def _check_alone(experiment: Experiment) -> None:
    """Check that no setting contradicts that supernets are trained and propose.

    Raises:
        ConfigError: One does.
    """
    if experiment.time is not None or experiment.gpu_hours is not None:
        raise ConfigError(
            "a one-shot search has the length of its supernets and trials: give supernet_epochs "
            "and trials, and leave time and gpu_hours out"
        )
    if experiment.shares:
        return
    others = {
        "searcher": experiment.searcher != "auto",
        "proxies": bool(experiment.proxies),
        "start_from": experiment.start_from is not None,
        "inherit_weights": experiment.inherit_weights,
        "finalists": experiment.finalists > 0,
    }
    if given := [name for name, is_given in others.items() if is_given]:
        raise ConfigError(
            f"with a one-shot method, its supernet proposes what is trained: leave "
            f"{' and '.join(given)} out, or let the shared scores choose among the proposals of a "
            "searcher, with proxies=['shared']"
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
