"""What an experiment's words stand for, found before anything starts."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from raynas.data import Data, Loop, LoopData, check_divisible
from raynas.errors import ConfigError, unknown
from raynas.execution.assess import Assessor
from raynas.execution.plan import Plan
from raynas.execution.training_context import TRAINING, TrainingContext
from raynas.execution.trial_spec import Repeats
from raynas.execution.work import ProbeWork, Work
from raynas.experiment.experiment import Experiment
from raynas.experiment.resolve.briefs import Builder, builder
from raynas.experiment.resolve.known_costs import before_training, probe_of
from raynas.experiment.resolve.references import (
    SpaceModule,
    find_scheduler,
    find_searcher,
    find_space,
    find_task,
)
from raynas.experiment.resolve.starting_points import starting_points
from raynas.experiment.resolve.suitability import check_fidelity, check_scheduler, check_workers
from raynas.experiment.resolve.suited import with_space, with_suited
from raynas.experiment.resolve.task_data import check_metrics, loaded, objective_of
from raynas.experiment.resolve.user_code import blamed, home_of
from raynas.experiment.settings import SHARED_PROXY
from raynas.options import build
from raynas.proxies import NAMES
from raynas.schedulers import Director, Scheduler
from raynas.searchers import Searcher, check
from raynas.searchers.finalists import Finalists
from raynas.searchers.inheriting import Inheriting
from raynas.searchers.requirements import Requirements
from raynas.searchers.screened import Assess, Screened, ScreeningOptions
from raynas.searchers.warm_start import WarmStart
from raynas.space import Architecture, Space, joined, with_priors
from raynas.tasks.task import Task, loop_of, recipe_of
from raynas.training.recipe import Recipe
from raynas.training.tuning import tuned
from raynas.trial import Constraint

_TRIED: Final = 12  # networks, of one of which each proxy must have a value

if TYPE_CHECKING:
    from raynas.execution.ray_tune.session import RaySession


@dataclass(frozen=True, slots=True)
class ResolvedExperiment:
    """An experiment, looked up.

    Attributes:
        experiment: The experiment with every setting, also those that the task decides. It has the
            architectures to begin with themselves, because their file may change.
        space: The space.
        build: Makes the child of an architecture: the space's ``build`` with its options and with
            what the task offers.
        data: The task's data, loaded and divided.
        loop: The task's own training loop, if it has one.
        homes: The user's own modules that workers cannot import.
        repeats: How often a trial trains its architecture.
        recipe: How children are trained, before their own decisions.
        plan: What the conductor needs; proxies, if any, are asked in this process.
        dressed: Makes the searcher, given who asks the proxies.
        assessors: Each asks some of the proxies on a cluster, given the connection to it.
        workers: How many processes train a trial together.
        constraints: The limits on what is known of networks before their training.
        probe: What is measured of networks before their training; none for nothing.
    """

    experiment: Experiment
    space: SpaceModule
    build: Callable[[Architecture], Any]
    data: Data | LoopData
    loop: Loop | None
    homes: tuple[ModuleType, ...]
    repeats: Repeats
    recipe: Recipe
    plan: Plan
    dressed: Callable[[Assess], Searcher]
    assessors: tuple[Callable[[RaySession], Assess], ...] = ()
    workers: int = 1
    constraints: tuple[Constraint, ...] = ()
    probe: ProbeWork | None = None

    @property
    def epochs(self) -> int:
        """The full length of one training."""
        return self.repeats.epochs or self.plan.epochs

    @property
    def work(self) -> Work:
        """What its trials do."""
        return Work(
            self.build,
            self.recipe,
            self.data,
            self.loop,
            self.homes,
            self.space.resources,
            self.repeats,
            self.constraints,
            self.probe,
        )


def resolve(experiment: Experiment) -> ResolvedExperiment:
    """Find everything an experiment names, and what in it does not fit together.

    Raises:
        ConfigError: Something does not exist, or an option is unusable.
        SpaceError: The searcher cannot express the space.
        DataError: The data are not there.
    """
    task = find_task(experiment.task, experiment.task_options)
    experiment = with_space(experiment, task)
    recipe = Recipe().with_overrides(recipe_of(task)).with_overrides(experiment.training)
    space = _searched(experiment, recipe)
    searcher = find_searcher(
        experiment.searcher, space.space, experiment.searcher_options, experiment.seed
    )
    start = starting_points(experiment.start_from, space.space) if experiment.start_from else ()
    data = loaded(experiment, task)
    experiment = with_suited(experiment, task, data)
    scheduler = find_scheduler(experiment.scheduler, experiment.scheduler_options)
    repeats, epochs = _lengths(experiment)
    trials = experiment.most_trials
    check_scheduler(scheduler, experiment.scheduler, searcher, epochs, trials)
    check_workers(experiment, recipe, space.space, data, loop_of(task))
    check_fidelity(experiment, scheduler, searcher)
    _check_training(space.space, recipe)
    experiment = replace(experiment, objective=objective_of(experiment, task, data))
    check_metrics(experiment, task, data)
    if repeats.folds > 1 or experiment.finalists:
        check_divisible(data, repeats.folds)
    with blamed("the searcher's check"):
        check(searcher, _requirements(experiment, task, scheduler, epochs))
    build_child = builder(space.build, experiment.space_options, data.told)
    homes = tuple(home for home in (space.home, home_of(type(task))) if home is not None)
    dressed = partial(_dressed, experiment, searcher, start)
    plan = Plan(
        space.space,
        dressed(_here(experiment, space.space, build_child, homes, recipe, data)),
        scheduler,
        trials,
        epochs,
        experiment.seed,
        experiment.limits,
    )
    return ResolvedExperiment(
        experiment=replace(
            experiment, start_from=[dict(one) for one in start] or experiment.start_from
        ),
        space=space,
        build=build_child,
        data=data,
        loop=loop_of(task),
        homes=homes,
        repeats=repeats,
        recipe=recipe,
        plan=plan,
        dressed=dressed,
        assessors=(partial(_elsewhere, experiment),) if experiment.zero_cost else (),
        workers=experiment.workers_per_trial,
        constraints=before_training(experiment, task),
        probe=probe_of(experiment, task),
    )


def _searched(experiment: Experiment, recipe: Recipe) -> SpaceModule:
    """Return the space, with the settings of the training that are searched, and with priors."""
    module = find_space(experiment.space, experiment.space_options)
    space = module.space
    if experiment.tune and not experiment.tunes_supernets:
        space = joined(space, TRAINING, tuned(recipe, experiment.tune))
    if experiment.priors:
        space = with_priors(space, experiment.priors)
    return replace(module, space=space)


def _elsewhere(experiment: Experiment, session: RaySession) -> Assess:
    """Return what asks zero-cost proxies on a cluster."""
    return session.assessor(experiment.zero_cost, experiment.seed)


def _lengths(experiment: Experiment) -> tuple[Repeats, int]:
    """Return how often a trial trains its architecture, and its length as schedulers count it."""
    epochs, folds = int(experiment.epochs or 1), int(experiment.folds or 1)
    side_by_side = Repeats(folds, experiment.seeds, experiment.seed)
    if experiment.fidelity == "repeats":
        return replace(side_by_side, epochs=epochs), side_by_side.count
    return side_by_side, epochs


def _check_training(space: Space, recipe: Recipe) -> None:
    """Check that what a space decides about training are fields of the recipe.

    Raises:
        ConfigError: One is not.
    """
    for path in space.decisions:
        part, _, name = path.partition(".")
        if part == TRAINING:
            recipe.with_overrides({name: getattr(recipe, name, None)})  # raises on unknown names


def _requirements(
    experiment: Experiment, task: Task, scheduler: Scheduler, epochs: int
) -> Requirements:
    """Return what the run requires of its searcher."""
    learnt = set(experiment.constraints) - set(before_training(experiment, task))
    required = Requirements(experiment.objectives, epochs, learns_constraints=bool(learnt))
    if isinstance(scheduler, Director):
        return replace(required, paused=scheduler.keeps)
    return required


def _dressed(
    experiment: Experiment, searcher: Searcher, start: Sequence[Architecture], assess: Assess
) -> Searcher:
    """Put around a searcher what an experiment asks for beside it."""
    if experiment.proxies:
        screening = build("screen", ScreeningOptions, experiment.screen_options)
        searcher = Screened(searcher, assess, screening)
    if start:
        searcher = WarmStart(searcher, start)
    if experiment.finalists and math.isfinite(experiment.most_trials):
        searcher = Finalists(searcher, int(experiment.most_trials), experiment.finalists)
    return Inheriting(searcher) if experiment.inherit_weights else searcher


def _here(
    experiment: Experiment,
    space: Space,
    build_child: Builder,
    homes: tuple[ModuleType, ...],
    recipe: Recipe,
    data: Data | LoopData,
) -> Assess:
    """Return what asks proxies in this process, having seen that each has something to say.

    Raises:
        ConfigError: There is no such proxy, or it cannot be had of networks of this space.
    """
    known = (*NAMES, SHARED_PROXY)
    if strange := [name for name in experiment.proxies if name not in known]:
        raise ConfigError("; ".join(unknown("proxy", name, known) for name in strange))
    if not experiment.zero_cost:
        return lambda _: []
    from raynas.execution.ray_tune.missing_proxies import missing  # noqa: PLC0415 - loads Ray
    from raynas.execution.ray_tune.trainable import PackedContext  # noqa: PLC0415

    context = TrainingContext(build_child, recipe, data, "cpu")
    assessor = Assessor.of(context, experiment.zero_cost, experiment.seed)
    packed = PackedContext.of(Work(build_child, recipe, data, homes=homes), "cpu")
    rng = np.random.default_rng(0)
    tried = [space.sample(rng) for _ in range(_TRIED)]
    if lacking := missing(packed, assessor.batch, assessor.names, tried, assessor.seed):
        raise ConfigError(
            f"no network sampled from {experiment.space!r} has a value for "
            f"{' and '.join(map(repr, lacking))}, leave that out: "
            f"{'; '.join(dict.fromkeys(lacking.values()))}"
        )
    return assessor.assess
