"""How results are shown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from raynas.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Shown:
    """How results are shown; it may change when a run is resumed.

    Attributes:
        best_known: The best value of the first objective that there can be, for the regret; none
            for that of the task, if it knows one.
        log: Experiment trackers that get the trials, too: ``wandb``, ``mlflow``.

    Raises:
        ConfigError: The best value is not finite, or ``log`` is no list.
    """

    best_known: float | None = None
    log: Sequence[str] = ()

    def check_shown(self) -> None:
        """Check the number, and make a tuple of the trackers."""
        if self.best_known is not None and not math.isfinite(self.best_known):
            raise ConfigError(f"best_known must be a finite number, got {self.best_known}")
        if isinstance(self.log, str):
            raise ConfigError(f"log must be a list of names, got {self.log!r}")
        object.__setattr__(self, "log", tuple(dict.fromkeys(self.log)))
