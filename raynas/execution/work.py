"""What the trials of a run do, wherever they run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from raynas.data import Data, Loop, LoopData
from raynas.execution.packing import Resources
from raynas.execution.trial_spec import ONCE, Repeats
from raynas.space import Architecture
from raynas.training.recipe import Recipe
from raynas.trial import Constraint


@dataclass(frozen=True, slots=True)
class ProbeWork:
    """What a probe measures of networks before they are trained.

    Attributes:
        probe: The probe's name or command.
        metrics: What it measures.
        file: The file of the run folder that keeps what was measured; empty for a run in an object
            store, whose measurements last as long as the process.
    """

    probe: str
    metrics: tuple[str, ...]
    file: str

    @property
    def share(self) -> Resources:
        """What it holds: a core or a GPU; nothing if a command measures elsewhere."""
        if self.probe.endswith(":cuda"):
            return Resources(1.0, 1.0)
        return Resources(0.0 if "{" in self.probe else 1.0, 0.0)


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
        constraints: The limits on what is known of networks before their training.
        probe: What is measured of networks before their training; none for nothing.
    """

    build: Callable[[Architecture], Any]
    recipe: Recipe
    data: Data | LoopData
    loop: Loop | None = None
    homes: tuple[ModuleType, ...] = ()
    resources: Callable[[Architecture], Any] | None = None
    repeats: Repeats = ONCE
    constraints: tuple[Constraint, ...] = ()
    probe: ProbeWork | None = None
