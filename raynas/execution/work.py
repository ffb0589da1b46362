"""What the trials of a run do, wherever they run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from raynas.data import Data, Loop, LoopData
from raynas.execution.trial_spec import ONCE, Repeats
from raynas.space import Architecture
from raynas.training.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Work:
    """What trials do, and with what.

    Attributes:
        build: Makes the child of an architecture.
        recipe: The training recipe of the children.
        data: The data of the task.
        loop: The task's own training loop, if it has one.
        homes: The user's modules that define ``build``, the data or the loop.
        resources: The space's function that returns the resources of a trial, if it has one.
        repeats: How often a trial trains its architecture.
    """

    build: Callable[[Architecture], Any]
    recipe: Recipe
    data: Data | LoopData
    loop: Loop | None = None
    homes: tuple[ModuleType, ...] = ()
    resources: Callable[[Architecture], Any] | None = None
    repeats: Repeats = ONCE
