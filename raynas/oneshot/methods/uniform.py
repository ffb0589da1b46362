"""What the methods with uniformly drawn paths have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np

from raynas.errors import ConfigError
from raynas.oneshot.feasibility import Feasibility
from raynas.oneshot.latency import LatencyTable
from raynas.oneshot.methods.method import Method
from raynas.oneshot.relaxation import Relaxation
from raynas.oneshot.supernet import Supernet
from raynas.oneshot.training import MeanLoss, SupernetTraining
from raynas.rng import path_rng
from raynas.space import Architecture
from raynas.trial import Constraint

_SHOWN: Final = 8
_LATENCY: Final = "latency_ms"


@dataclass(slots=True)
class UniformPaths(Method):
    """Each step trains the weights of one architecture, drawn from the space.

    Attributes:
        max_latency_ms: The highest latency of a network that is scored and proposed at the end, in
            milliseconds, by the latency table.
        latency_table: A file with the latency of each option, as ``LatencyTable.save`` writes it;
            of any device.

    Raises:
        ConfigError: An option is out of range, or the file is no table.
    """

    mixes: ClassVar[bool] = False
    parallel: ClassVar[bool] = True
    max_latency_ms: float | None = None
    latency_table: LatencyTable | Path | None = None
    _feasibility: Feasibility | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        """Check the options, and read the file."""
        if self.max_latency_ms is not None and self.max_latency_ms <= 0:
            raise ConfigError(f"{self.name} needs max_latency_ms > 0, got {self.max_latency_ms}")
        if (self.max_latency_ms is None) != (self.latency_table is None):
            raise ConfigError(
                f"{self.name} limits the latency if it has max_latency_ms and latency_table: give "
                f"both or neither, got {self.max_latency_ms} and {self.latency_table}"
            )
        if isinstance(self.latency_table, Path):
            self.latency_table = LatencyTable.load(self.latency_table)

    @property
    def limited(self) -> bool:
        """Whether the latency is limited: by a table, which other searchers do not know."""
        return self.max_latency_ms is not None

    def told(self, relaxation: Relaxation, feasibility: Feasibility) -> None:
        """Learn which networks keep the constraints, and add that of the latency.

        Raises:
            ConfigError: The latency table lacks an option of the space.
        """
        self._feasibility, table, most = feasibility, self.latency_table, self.max_latency_ms
        if most is None or not isinstance(table, LatencyTable):
            return
        table.latencies(relaxation.space)

        def costs(architecture: Architecture) -> Mapping[str, float] | None:
            if (counted := feasibility.costs(architecture)) is None:
                return None
            return {**counted, _LATENCY: table.of(relaxation.path(architecture))}

        constraints = (*feasibility.constraints, Constraint(_LATENCY, most))
        self._feasibility = replace(feasibility, constraints=constraints, costs=costs)

    def check(self, supernet: Supernet, inputs: Any) -> None:  # noqa: ARG002 - the space is told
        """Check that some architectures keep the constraints.

        Raises:
            ConfigError: None of many random ones is.
        """
        if self._feasibility is not None:
            self._feasibility.check(path_rng(0, 0))

    def within(self, draw: Callable[[], Architecture]) -> Architecture | None:
        """Draw until an architecture keeps the constraints; none if that takes too long."""
        return draw() if self._feasibility is None else self._feasibility.drawn(draw)

    def train(self, training: SupernetTraining, epoch: int) -> Mapping[str, float]:
        """Train on all examples once, each batch on a path of its own."""
        rng, losses = training.rng(epoch), MeanLoss()
        for inputs, targets, lr in training.batches(epoch):
            training.supernet.take(training.served(lambda: training.supernet.space.sample(rng)))
            losses.add(training.step(inputs, targets, lr), targets)
        return {"train_loss": losses.value}

    def shown(self, training: SupernetTraining, rng: np.random.Generator) -> list[Architecture]:
        """Return random architectures."""
        space = training.supernet.space
        return [training.served(lambda: space.sample(rng)) for _ in range(_SHOWN)]
