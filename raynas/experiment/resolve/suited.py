"""Settings that suit a task and its data, where the user gives none."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from raynas.data import Data, LoopData
from raynas.errors import ConfigError, unknown
from raynas.experiment.experiment import Experiment
from raynas.experiment.resolve.user_code import blamed
from raynas.tasks import Task
from raynas.tasks.task import name_of, suited_of


@dataclass(frozen=True, slots=True)
class Suited:
    """How long, and how often, trials are trained; the defaults are those of most tasks.

    Attributes:
        epochs: As in ``Experiment``.
        scheduler: As in ``Experiment``.
        folds: As in ``Experiment``.
    """

    epochs: int = 9
    scheduler: Any = "asha"
    folds: int = 1

    @classmethod
    def of(cls, experiment: Experiment, task: Task, data: Data | LoopData) -> Suited:
        """Return what the user says, or else what the task says.

        Raises:
            ConfigError: The task says something else, too.
        """
        with blamed(f"suited of task {name_of(task)!r}"):
            by_task: dict[str, Any] = dict(suited_of(task, data))
        known = [item.name for item in fields(cls)]
        for name in by_task:
            if name not in known:
                raise ConfigError(unknown("setting in suited of a task", name, known))
        by_user = {name: getattr(experiment, name) for name in known}
        said = {name: given for name, given in by_user.items() if given is not None}
        return cls(**{**by_task, **said})
