"""A small table that comes with raynas: every small cell, trained three times on digits.

``benchmarks/digits_table.py`` made it. The space is ``search_spaces.nasbench201.small``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from raynas.errors import ConfigError, TrialError
from raynas.goals.metric import accuracy_error
from raynas.space import Architecture, Space
from raynas.tables.table import Recorded, Scores

TASK: Final[Mapping[str, Any]] = MappingProxyType(
    {"valid": 0.35, "test": 0.35, "train": 500, "noise": 2.0}
)
"""The options of the task ``digits``."""

RECIPE: Final[Mapping[str, Any]] = MappingProxyType({"batch_size": 32})
"""What differs from the default training recipe."""

EPOCHS: Final = 6
SEEDS: Final = 3
_VALID: Final = 628  # validation images

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class DigitsTable:
    """The results of all networks of the space.

    Attributes:
        space: The space.
        rows: The row of a network, by its identity.
        seen: ``[networks, seeds, epochs]`` validation accuracy.
        tested: ``[networks, seeds]`` test accuracy after the last epoch.
        seconds: ``[networks]`` seconds of an epoch.
        costs: ``[networks]`` by name: ``params`` and ``flops`` (multiply-adds).
    """

    space: Space
    rows: Mapping[str, int]
    seen: Floats
    tested: Floats
    seconds: Floats
    costs: Mapping[str, Floats]

    @property
    def lengths(self) -> Sequence[int]:
        """The length of the recorded trainings, in epochs."""
        return (EPOCHS,)

    @cached_property
    def best(self) -> float:
        """The highest mean test accuracy of all."""
        return float(self.tested.mean(1).max())

    def answer(self, architecture: Architecture, epochs: int, draw: int) -> list[Recorded]:
        """Return the reports of a training, one per epoch.

        Raises:
            ConfigError: No trainings of that length are recorded.
            TrialError: The architecture is not in the table.
        """
        if epochs != EPOCHS:
            raise ConfigError(f"a training of this table must have {EPOCHS} epochs, got {epochs}")
        row = self._row(architecture)
        known = {name: float(values[row]) for name, values in self.costs.items()}
        return [
            Recorded(
                epoch,
                {"val_accuracy": float(accuracy), **known},
                float(self.seconds[row]),
                {"val_accuracy": accuracy_error(float(accuracy), _VALID)},
            )
            for epoch, accuracy in enumerate(self.seen[row, draw % SEEDS], start=1)
        ]

    def scores(self, architecture: Architecture) -> Scores:
        """Return the means over all seeds, after the last epoch."""
        row = self._row(architecture)
        return Scores(float(self.seen[row, :, -1].mean()), float(self.tested[row].mean()))

    def _row(self, architecture: Architecture) -> int:
        identity = self.space.identity(architecture)
        if identity not in self.rows:
            raise TrialError("the table holds no results of this architecture")
        return self.rows[identity]


def digits(space: Space) -> DigitsTable:
    """Read the table.

    Args:
        space: The space of small cells.
    """
    with (files("raynas.tables") / "digits.npz").open("rb") as opened, np.load(opened) as file:
        columns = {name: file[name] for name in file}
    return DigitsTable(
        space,
        {str(identity): row for row, identity in enumerate(columns["identity"])},
        seen=columns["valid"].astype(np.float64),
        tested=columns["test"].astype(np.float64),
        seconds=columns["seconds"].astype(np.float64),
        costs={name: columns[name].astype(np.float64) for name in ("params", "flops")},
    )
