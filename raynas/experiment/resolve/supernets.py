"""The experiment that trains the supernets of another experiment, and what it cannot serve.

Loads torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from raynas.data import Data, Loop
from raynas.errors import ConfigError
from raynas.execution.memory_limit import MemoryLimit
from raynas.execution.plan import Plan
from raynas.execution.training_context import TRAINING
from raynas.execution.trial_spec import ONCE
from raynas.experiment.experiment import Experiment
from raynas.experiment.resolve.known_costs import COUNTED
from raynas.experiment.resolve.references import SpaceModule, find_scheduler
from raynas.experiment.resolve.resolved import ResolvedExperiment
from raynas.experiment.resolve.supernet_memory import SupernetMemory
from raynas.experiment.resolve.supernet_serving import checked_build
from raynas.experiment.settings import USUAL_METHOD
from raynas.oneshot.feasibility import Feasibility, costs_of
from raynas.oneshot.loop import SupernetLoop, method_of
from raynas.oneshot.methods.method import Method
from raynas.oneshot.search import FOLDER, METHOD, SHARED, EachMethod, WithinMethod, supernets
from raynas.oneshot.supernet_build import SupernetBuild
from raynas.schedulers import Director, Scheduler
from raynas.schedulers.run_to_end import RunToEnd
from raynas.space import Space, joined
from raynas.training.loading import example
from raynas.training.tuning import tuned
from raynas.trial import Objective

CONTROL: Final = USUAL_METHOD
_LONGER: Final = 6  # epochs of a supernet per epoch of a trial
_VALID: Final = "val_"
_RECIPE: Final = f"{TRAINING}."


@dataclass(frozen=True, slots=True)
class Supernets:
    """The supernets of a run.

    Attributes:
        training: The experiment that trains them, in a folder of the run: a trial or several for
            each method, and for the control.
        loop: How they are trained.
        build: Makes them.
        feasibility: Which networks keep the constraints that are known without a measurement.
        limited: Whether what they propose keeps limits that no searcher knows, so that none may go
            on after them.
    """

    training: ResolvedExperiment
    loop: SupernetLoop
    build: SupernetBuild
    feasibility: Feasibility
    limited: bool

    def check_memory(self, limit: MemoryLimit) -> None:
        """Check that all of them can be trained where there is so much memory.

        Raises:
            ResourceError: One needs more.
        """
        training, memory = self.training, SupernetMemory(self.training.data, limit)
        for name in training.experiment.methods:
            method = self.loop.method(name)
            memory.check(method, self.loop.recipe_of(method, training.recipe), self.build)


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
            f"shared weights are trained by one recipe, and {recipe[0]} is decided with each "
            "architecture: leave it out, or method"
        )
    methods = experiment.methods[:1]
    if not experiment.shares:
        methods = tuple(dict.fromkeys((*experiment.methods, CONTROL)))
    scored = _scored(resolved)
    options = _options(experiment)
    made = _made(methods, options)
    feasibility = Feasibility(
        resolved.space.space,
        tuple(one for one in experiment.constraints if one.metric in COUNTED),
        costs_of(resolved.build, example(resolved.data, 1)),
    )
    # As the methods have read them, because workers may lack a file that is an option.
    read = {
        name: {option: getattr(made[name], option) for option in given}
        for name, given in options.items()
    }
    named = () if experiment.shares else experiment.tune
    fixed = {name: value for name, value in experiment.training.items() if name not in named}
    loop = SupernetLoop(scored, read, fixed)
    build = checked_build(resolved, made, loop, feasibility)
    space = joined(supernets(methods), TRAINING, tuned(resolved.recipe, named))
    training = _training(resolved, space, build, loop)
    limited = any(method.limited for method in made.values())
    if limited and (experiment.shares or experiment.candidates):
        raise ConfigError(
            "max_latency_ms holds for what supernets propose, not for what a searcher proposes: "
            f"leave {'proxies' if experiment.shares else 'candidates'} out, or max_latency_ms"
        )
    return Supernets(training, loop, build, feasibility, limited)


def _training(
    resolved: ResolvedExperiment, space: Space, build: SupernetBuild, loop: SupernetLoop
) -> ResolvedExperiment:
    """Return the experiment that trains the supernets of a space of supernets."""
    experiment, scored = resolved.experiment, loop.objective
    epochs = experiment.supernet_epochs or _LONGER * resolved.epochs
    trials = experiment.supernets * int(space.decisions[METHOD].domain.count)
    mine = replace(
        experiment,
        output=experiment.output / FOLDER,
        objective=f"{SHARED}{scored.metric}:{scored.direction}",
        epochs=epochs,
        trials=trials,
        constraint=None,
        best_known=None,
        log=(),
        probe=None,
        target=None,
        method=tuple(str(one) for one in space.decisions[METHOD].domain.values()),
        proxies=(),
        finalists=0.0,
    )
    searcher, scheduler = EachMethod(space, experiment.supernets), _scheduler(experiment, epochs)
    plan = Plan(space, searcher, scheduler, trials, epochs, experiment.seed, mine.limits)
    return replace(
        resolved,
        experiment=mine,
        space=SpaceModule(space, build, None, None, resolved.space.home),
        build=build,
        loop=Loop(loop.fit),
        repeats=ONCE,
        plan=plan,
        dressed=lambda _: searcher,
        workers=experiment.workers_per_supernet,
        constraints=(),
        probe=None,
    )


def _scheduler(experiment: Experiment, epochs: int) -> Scheduler:
    """Return what decides which supernets are trained to the end.

    Raises:
        ConfigError: The scheduler resumes trials or begins others, or does not suit the length.
    """
    if experiment.supernets == 1:
        return RunToEnd()
    scheduler = find_scheduler(experiment.scheduler, experiment.scheduler_options)
    if isinstance(scheduler, Director):
        raise ConfigError(
            f"supernets must be stopped for good or trained to the end, and the scheduler "
            f"{experiment.scheduler} resumes trials: use asha, median, extrapolation or none"
        )
    within = WithinMethod(scheduler)
    within.check(epochs)
    return within


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
        if experiment.supernets > 1:
            raise ConfigError(
                "one supernet scores the proposals of a searcher, got "
                f"supernets={experiment.supernets}: leave it out"
            )
        return
    if experiment.tune and experiment.supernets == 1:
        raise ConfigError(
            f"with a one-shot method, tune searches the settings of supernets "
            f"({', '.join(experiment.tune)}), and there is only one: give supernets, such as 4"
        )
    others = {
        "proxies": bool(experiment.proxies),
        "start_from": experiment.start_from is not None,
        "inherit_weights": experiment.inherit_weights,
    }
    if given := [name for name, is_given in others.items() if is_given]:
        raise ConfigError(
            f"with a one-shot method, its supernet proposes what is trained first: leave "
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

    The control gets the limit of the method beside which it runs.

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
    if CONTROL not in experiment.methods:
        found.setdefault(CONTROL, {}).update(_limit(found))
    return found


def _limit(options: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the limit of the first method that has one, so that the control has it, too."""
    for given in options.values():
        if "max_latency_ms" in given:
            return {name: given.get(name) for name in ("max_latency_ms", "latency_table")}
    return {}


def _made(methods: tuple[str, ...], options: Mapping[str, Mapping[str, Any]]) -> dict[str, Method]:
    """Return the methods by name.

    Raises:
        ConfigError: A method or an option is unknown, or options are given for another method.
    """
    made = {name: method_of(name, options.get(name, {})) for name in methods}
    if strange := [name for name in options if name not in made]:
        raise ConfigError(
            f"options are given for {', '.join(strange)}, but that method is not run"
        )
    return made
