"""The interface of a task, and the source of its data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from raynas.data import Data, Loop, LoopData
from raynas.goals import Goal


@dataclass(frozen=True, slots=True)
class Source:
    """Where data comes from.

    Attributes:
        data_dir: The folder with the data.
        download: Whether missing data may be downloaded from the internet.
    """

    data_dir: Path = Path("data")
    download: bool = False


@runtime_checkable
class Task(Protocol):
    """Data, and what is learnt from them.

    To define a task, write a class with ``load``. ``Split.of`` converts arrays of most types, and
    ``Data.split`` divides them::

        from sklearn.datasets import load_wine

        from raynas.data import Data, Split

        class Wine:
            recipe = {"batch_size": 32, "lr": 0.05}

            def load(self, source, seed):
                wine = load_wine()
                return Data.split(Split.of(wine.data, wine.target), seed=seed)

    These members are optional; they have defaults:

    - ``name``: The name of the task; the name of the class in lower case.
    - ``recipe``: Fields of ``raynas.training.Recipe`` that differ from the defaults.
    - ``space``: The name of a search space, which is used unless the user gives one.
    - ``suited(data)``: Returns settings that suit the data, unless the user gives them: a mapping
      of ``epochs``, ``scheduler``, ``folds`` and ``best_known``. Otherwise they are 9, ``asha``,
      1 and none.
    - ``goal``: A ``raynas.goals.Goal``: the loss, the metrics, the objective. By default, labels
      are classified, and real numbers are predicted by regression.
    - ``fit(child, context)``: A training loop of its own; see ``raynas.data.Loop``.
    - ``test(child, context)``: With ``fit``: returns the winner's metrics.
    - ``objective``: With ``fit``: the metric to optimise, such as ``"val_f1:max"``.
    - ``metrics``: With ``fit``: the names of the metrics that it reports, so that a wrong
      objective is refused before the search starts.
    """

    def load(self, source: Source, seed: int) -> Data | LoopData:
        """Return its data; the same seed gives the same division.

        Args:
            source: Where the data comes from.
            seed: The run's seed.

        Raises:
            DataError: The data is missing or not usable.
        """
        ...


def name_of(task: Task) -> str:
    """Return the name of a task; the name of its class in lower case if it has none."""
    named = getattr(task, "name", None)
    return named if isinstance(named, str) else type(task).__name__.lower()


def recipe_of(task: Task) -> Mapping[str, object]:
    """Return the fields of the training recipe that a task sets."""
    fields: Mapping[str, object] = getattr(task, "recipe", {})
    return fields


def space_of(task: Task) -> str | None:
    """Return the space that a task names; none if it names none."""
    space: str | None = getattr(task, "space", None)
    return space


def suited_of(task: Task, data: Data | LoopData) -> Mapping[str, object]:
    """Return the settings that suit a task's data, if it names some."""
    suited = getattr(task, "suited", None)
    found: Mapping[str, object] = {} if suited is None else suited(data)
    return found


def goal_of(task: Task) -> Goal | None:
    """Return the goal that a task names; none if it is that of its data."""
    goal: Goal | None = getattr(task, "goal", None)
    return goal


def loop_of(task: Task) -> Loop | None:
    """Return a task's own training loop; none for that of raynas."""
    fit = getattr(task, "fit", None)
    return None if fit is None else Loop(fit, getattr(task, "test", None))
