"""The data, the goal and the objective of a task, found before anything starts."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Final

from raynas.costs import Costs
from raynas.costs.probe import METRICS
from raynas.data import Data, LoopData
from raynas.errors import ConfigError, DataError, kind_of, shown, unknown
from raynas.experiment import amounts
from raynas.experiment.experiment import Experiment
from raynas.experiment.resolve.data_notes import unusual
from raynas.experiment.resolve.machine import may_use_gpus
from raynas.experiment.resolve.user_code import blamed
from raynas.goals import Goal
from raynas.goals.inferred import Undecided
from raynas.goals.metric import new_metrics
from raynas.tasks import Source, Task
from raynas.tasks.task import goal_of, loop_of, name_of

_LOG = logging.getLogger("raynas")
_ON_GPUS: Final = "peak_memory"  # reported by trials that have a GPU


def loaded(experiment: Experiment, task: Task) -> Data | LoopData:
    """Load a task's data, and say what is unusual about them.

    Raises:
        ConfigError: The task raises, or loads something else.
        DataError: The data are not there, or not usable.
    """
    name, loop, goal = name_of(task), loop_of(task), goal_of(task)
    if goal is not None and not isinstance(goal, Goal):
        raise ConfigError(
            f"the goal of a task must be a raynas.goals.Goal, such as Classification(), and that "
            f"of {name!r} is {shown(goal)}: a loss of your own is the method loss of a Goal"
        )
    with blamed(f"task {name!r}"):
        data = task.load(Source(experiment.data_dir, experiment.download), experiment.seed)
        if isinstance(data, Data) and goal is not None:
            data = data.with_goal(goal)
    if not isinstance(data, Data | (LoopData if loop else Data)):
        wanted = "raynas.data.Data" + (" or raynas.data.LoopData" if loop else "")
        raise ConfigError(
            f"a task must load {wanted}, and {name!r} loads {kind_of(data)}: return "
            "Data.split(Split.of(inputs, targets), seed=seed)"
        )
    if isinstance(data, Data):
        if isinstance(data.goal, Undecided):
            raise DataError(data.goal.reason)
        for said in _said(data):
            _LOG.info(said)
        if data.arrays and (odd := unusual(data)):
            _LOG.warning("the data are unusual: %s", "; ".join(odd))
    return data


def _said(data: Data) -> Iterator[str]:
    """Yield what people should know of usual data, too."""
    if data.arrays and data.train.ids:
        yield (
            "the inputs are whole numbers (ids, such as those of tokens) and are not normalised: "
            "give measurements as real numbers"
        )
    if not data.arrays and not all(hasattr(part, "fingerprint") for part in data.parts):
        yield (
            "the data sets have no method fingerprint(), so it is not known whether a resumed run "
            "has the same data"
        )


def objective_of(
    experiment: Experiment, task: Task, data: Data | LoopData
) -> str | tuple[str, ...]:
    """Return the objective that the user chose, or else the task's own.

    Raises:
        ConfigError: A task with its own loop names no objective.
    """
    if experiment.objective is not None:
        return experiment.objective
    if isinstance(data, LoopData) or loop_of(task):
        named = getattr(task, "objective", None)
        if not isinstance(named, str):
            raise ConfigError(
                f"task {name_of(task)!r} has its own loop, so it must name its objective, as in "
                'objective = "val_f1:max"; or give one with --objective'
            )
        return named
    metric, _, direction = data.goal.objective.partition(":")
    named = f"val_{metric}"
    plain = not direction or amounts.objective(named).direction == direction
    return named if plain else f"{named}:{direction}"


def check_metrics(experiment: Experiment, task: Task, data: Data | LoopData) -> None:
    """Refuse to optimise, or to wait for, what no trial will report.

    Raises:
        ConfigError: There is no such metric.
    """
    reported = _reported(task, data)
    wanted = {
        "objective": [one.metric for one in experiment.objectives],
        "constraint": [one.metric for one in experiment.constraints],
    }
    if experiment.limits.target:
        wanted["target"] = [experiment.limits.target.objective.metric]
    for setting, metrics in wanted.items():
        for metric in metrics:
            if metric in reported or metric in METRICS or not reported:
                continue
            if metric != _ON_GPUS:
                raise ConfigError(
                    f"{setting}: {unknown('metric', metric, [*reported, *METRICS, _ON_GPUS])}"
                )
            if not may_use_gpus(experiment):
                raise ConfigError(
                    f"{setting}: {metric} is measured on GPUs, and trials have none here: "
                    "params or flops say how large a network is"
                )


def _reported(task: Task, data: Data | LoopData) -> Sequence[str]:
    """Return the metrics that trials report; empty if only the task's own loop knows them.

    A task that makes trials report more says so in an attribute ``metrics``, a list of names.
    """
    costs = [item.name for item in fields(Costs)]
    more = getattr(task, "metrics", ())
    if isinstance(data, LoopData) or loop_of(task):
        return [*more, *costs] if more else ()
    own = [f"val_{name}" for name in new_metrics(data.goal.metrics())]
    return [*own, "val_loss", "train_loss", "lr", *costs, *more]
