"""Settings that suit a task and its data, where the user gives none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from raynas.data import Data, LoopData
from raynas.errors import ConfigError, unknown
from raynas.experiment.experiment import Experiment, experiment_from
from raynas.experiment.resolve.user_code import blamed
from raynas.tasks import Task
from raynas.tasks.task import name_of, space_of, suited_of

USUAL: Final[Mapping[str, Any]] = MappingProxyType(
    {"epochs": 9, "scheduler": "asha", "folds": 1, "best_known": None}
)
"""The settings that suit most tasks."""

_USUAL_SPACE: Final = "nasbench201"


def with_space(experiment: Experiment, task: Task) -> Experiment:
    """Return the experiment with a space: the user's, or the task's, or the usual one."""
    return replace(experiment, space=experiment.space or space_of(task) or _USUAL_SPACE)


def with_suited(experiment: Experiment, task: Task, data: Data | LoopData) -> Experiment:
    """Return the experiment with every setting: the user's, or the task's, or the usual one.

    Raises:
        ConfigError: The task names a setting that it does not decide, or a value is of the wrong
            kind.
    """
    with blamed(f"suited of task {name_of(task)!r}"):
        by_task: dict[str, Any] = dict(suited_of(task, data))
    for name in by_task:
        if name not in USUAL:
            raise ConfigError(unknown("setting in suited of a task", name, USUAL))
    if experiment.objective is not None:  # the task's best value is that of its own objective
        by_task.pop("best_known", None)
    given = {name: getattr(experiment, name) for name in USUAL}
    by_user = {name: value for name, value in given.items() if value is not None}
    left = {name: value for name, value in by_task.items() if name not in by_user}
    return experiment_from(left, replace(experiment, **{**USUAL, **by_user}))
