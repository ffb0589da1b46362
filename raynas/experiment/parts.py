"""What an experiment's words stand for, found before anything starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from raynas.data import Data
from raynas.errors import ConfigError
from raynas.execution.conductor import Plan
from raynas.execution.worker import TRAINING
from raynas.experiment.experiment import Experiment
from raynas.experiment.references import (
    SpaceModule,
    find_scheduler,
    find_searcher,
    find_space,
    find_task,
)
from raynas.experiment.starting_points import starting_points
from raynas.experiment.user_code import blamed
from raynas.searchers import check
from raynas.searchers.aim import Aim
from raynas.searchers.warm_start import WarmStart
from raynas.space import Architecture, with_priors
from raynas.tasks import Source
from raynas.training.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Parts:
    """An experiment, looked up.

    Attributes:
        space: The space and its ``build``.
        data: The task's data, loaded and divided.
        recipe: How children are trained, before their own decisions.
        plan: What the conductor needs.
        start: The architectures to begin with.
    """

    space: SpaceModule
    data: Data
    recipe: Recipe
    plan: Plan
    start: Sequence[Architecture]


def look_up(experiment: Experiment) -> Parts:
    """Find everything an experiment names, and what in it does not fit together.

    Raises:
        ConfigError: Something does not exist, or an option is unusable.
        SpaceError: The searcher cannot express the space.
        DataError: The data are not there.
    """
    space = find_space(experiment.space, experiment.space_options)
    if experiment.priors:
        space = replace(space, space=with_priors(space.space, experiment.priors))
    task = find_task(experiment.task, experiment.task_options)
    searcher = find_searcher(experiment.searcher, space.space, experiment.searcher_options)
    start = starting_points(experiment.start_from, space.space) if experiment.start_from else ()
    if start:
        searcher = WarmStart(searcher, start)
    check(searcher, Aim(experiment.objectives, experiment.epochs))
    scheduler = find_scheduler(experiment.scheduler, experiment.scheduler_options)
    scheduler.check(experiment.epochs)
    recipe = Recipe().with_overrides({**task.recipe, **experiment.training})
    for path in space.space.decisions:
        part, _, name = path.partition(".")
        if part == TRAINING:
            recipe.with_overrides({name: getattr(recipe, name, None)})  # raises on unknown names
    with blamed(f"task {task.name!r}"):
        data = task.load(Source(experiment.data_dir, experiment.download), experiment.seed)
    if not isinstance(data, Data):
        raise ConfigError(f"a task must load raynas.data.Data, {task.name!r} loads {data!r}")
    plan = Plan(
        space.space, searcher, scheduler, experiment.trials, experiment.epochs, experiment.seed
    )
    return Parts(space, data, recipe, plan, start)
