"""What an experiment's words stand for, found before anything starts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Final

import numpy as np

from raynas.costs import Costs
from raynas.data import Data
from raynas.errors import ConfigError, kind_of, unknown
from raynas.execution.assess import Assessor
from raynas.execution.plan import Plan
from raynas.execution.worker import TRAINING, TrainingContext
from raynas.experiment.experiment import Experiment
from raynas.experiment.resolve.data_notes import unusual
from raynas.experiment.resolve.machine import may_use_gpus
from raynas.experiment.resolve.references import (
    SpaceModule,
    find_scheduler,
    find_searcher,
    find_space,
    find_task,
)
from raynas.experiment.resolve.starting_points import starting_points
from raynas.experiment.resolve.suitability import check_parents, check_scheduler
from raynas.experiment.resolve.user_code import blamed
from raynas.options import build
from raynas.proxies import NAMES
from raynas.schedulers import Director, Scheduler
from raynas.searchers import Searcher, check
from raynas.searchers.inheriting import Inheriting
from raynas.searchers.requirements import Requirements
from raynas.searchers.screened import Assess, Screened, ScreeningOptions
from raynas.searchers.warm_start import WarmStart
from raynas.space import Architecture, joined, with_priors
from raynas.tasks import Source, Task
from raynas.training.recipe import Recipe
from raynas.training.tuning import tuned

_LOG = logging.getLogger("raynas")
_TRIED: Final = 12  # networks, of one of which each proxy must have a value

_LEARNT: Final = ("val_accuracy", "val_loss", "train_loss", "lr")  # reported after every epoch
_ON_GPUS: Final = "peak_memory"  # by trials that have one


@dataclass(frozen=True, slots=True)
class ResolvedExperiment:
    """An experiment, looked up.

    Attributes:
        space: The space and its ``build``.
        data: The task's data, loaded and divided.
        recipe: How children are trained, before their own decisions.
        plan: What the conductor needs; proxies, if any, are asked in this process.
        start: The architectures to begin with.
        dressed: Makes the searcher, given who asks the proxies.
    """

    space: SpaceModule
    data: Data
    recipe: Recipe
    plan: Plan
    start: Sequence[Architecture]
    dressed: Callable[[Assess], Searcher]


def resolve(experiment: Experiment) -> ResolvedExperiment:
    """Find everything an experiment names, and what in it does not fit together.

    Raises:
        ConfigError: Something does not exist, or an option is unusable.
        SpaceError: The searcher cannot express the space.
        DataError: The data are not there.
    """
    space = find_space(experiment.space, experiment.space_options)
    task = find_task(experiment.task, experiment.task_options)
    recipe = Recipe().with_overrides({**task.recipe, **experiment.training})
    if experiment.tune:
        space = replace(space, space=joined(space.space, TRAINING, tuned(recipe, experiment.tune)))
    if experiment.priors:
        space = replace(space, space=with_priors(space.space, experiment.priors))
    searcher = find_searcher(
        experiment.searcher, space.space, experiment.searcher_options, experiment.seed
    )
    start = starting_points(experiment.start_from, space.space) if experiment.start_from else ()
    scheduler = find_scheduler(experiment.scheduler, experiment.scheduler_options)
    with blamed("the searcher's check"):
        check(searcher, _requirements(experiment, scheduler))
    asked, trials = experiment.scheduler, experiment.most_trials
    check_scheduler(scheduler, asked, searcher, experiment.epochs, trials)
    if experiment.inherit_weights:
        check_parents(searcher)
    for path in space.space.decisions:
        part, _, name = path.partition(".")
        if part == TRAINING:
            recipe.with_overrides({name: getattr(recipe, name, None)})  # raises on unknown names
    data = _loaded(experiment, task)
    _check_metrics(experiment, task)
    dressed = partial(_dressed, experiment, searcher, start)
    assess = _here(experiment, space, recipe, data)
    plan = Plan(
        space.space,
        dressed(assess),
        scheduler,
        experiment.most_trials,
        experiment.epochs,
        experiment.seed,
        experiment.limits,
    )
    return ResolvedExperiment(space, data, recipe, plan, start, dressed)


def _requirements(experiment: Experiment, scheduler: Scheduler) -> Requirements:
    """Return what the run requires of its searcher."""
    required = Requirements(experiment.objectives, experiment.epochs)
    if isinstance(scheduler, Director):
        return replace(required, paused=scheduler.keeps)
    return required


def _loaded(experiment: Experiment, task: Task) -> Data:
    """Load a task's data, and say what is unusual about them.

    Raises:
        ConfigError: The task raises, or loads something else.
        DataError: The data are not there, or not usable.
    """
    with blamed(f"task {task.name!r}"):
        data = task.load(Source(experiment.data_dir, experiment.download), experiment.seed)
    if not isinstance(data, Data):
        raise ConfigError(
            f"a task must load raynas.data.Data, and {task.name!r} loads {kind_of(data)}: return "
            "Data.split(Split.of(inputs, labels), seed=seed)"
        )
    if odd := unusual(data):
        _LOG.warning("the data are unusual: %s", "; ".join(odd))
    if data.train.ids:
        _LOG.info(
            "the inputs are whole numbers (ids, such as those of tokens) and are not normalised: "
            "give measurements as real numbers"
        )
    return data


def _dressed(
    experiment: Experiment, searcher: Searcher, start: Sequence[Architecture], assess: Assess
) -> Searcher:
    """Put around a searcher what an experiment asks for beside it."""
    if experiment.proxies:
        screening = build("screen", ScreeningOptions, experiment.screen_options)
        searcher = Screened(searcher, assess, screening)
    if start:
        searcher = WarmStart(searcher, start)
    return Inheriting(searcher) if experiment.inherit_weights else searcher


def _here(experiment: Experiment, space: SpaceModule, recipe: Recipe, data: Data) -> Assess:
    """Return what asks proxies in this process, having seen that each has something to say.

    Raises:
        ConfigError: There is no such proxy, or it cannot be had of networks of this space.
    """
    if not experiment.proxies:
        return lambda _: []
    if strange := [name for name in experiment.proxies if name not in NAMES]:
        raise ConfigError("; ".join(unknown("proxy", name, NAMES) for name in strange))
    from raynas.execution.ray_tune.missing_proxies import missing  # noqa: PLC0415 - loads Ray
    from raynas.execution.ray_tune.trainable import PackedContext  # noqa: PLC0415

    build_child = partial(space.build, **experiment.space_options)
    assessor = Assessor.of(
        TrainingContext(build_child, recipe, data, "cpu"),
        data,
        experiment.proxies,
        experiment.seed,
    )
    packed = PackedContext.of(build_child, space.home, recipe, "cpu")
    rng = np.random.default_rng(0)
    tried = [space.space.sample(rng) for _ in range(_TRIED)]
    if lacking := missing(packed, assessor.batch, assessor.names, tried, assessor.seed):
        raise ConfigError(
            f"no network sampled from {experiment.space!r} has a value for "
            f"{' and '.join(map(repr, lacking))}, leave that out: "
            f"{'; '.join(dict.fromkeys(lacking.values()))}"
        )
    return assessor.assess


def _check_metrics(experiment: Experiment, task: Task) -> None:
    """Refuse to optimise, or to wait for, what no trial will report.

    A task that makes trials report more says so in an attribute ``metrics``, a list of names.
    """
    reported = [*_LEARNT, *(item.name for item in fields(Costs)), *getattr(task, "metrics", ())]
    wanted = {"objective": [one.metric for one in experiment.objectives]}
    if experiment.limits.target:
        wanted["target"] = [experiment.limits.target.objective.metric]
    for setting, metrics in wanted.items():
        for metric in metrics:
            if metric in reported or (metric == _ON_GPUS and may_use_gpus(experiment)):
                continue
            if metric == _ON_GPUS:
                raise ConfigError(
                    f"{setting}: {metric} is measured on GPUs, and trials have none here: "
                    "params or flops say how large a network is"
                )
            raise ConfigError(f"{setting}: {unknown('metric', metric, [*reported, _ON_GPUS])}")
