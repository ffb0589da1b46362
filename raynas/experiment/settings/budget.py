"""How much a search may take."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from raynas.errors import ConfigError
from raynas.experiment.settings.checks import at_least_one

_TRIALS: Final = 40  # where nothing else says how much


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How much a search may take; it may change when a run is resumed.

    Attributes:
        trials: How many trials to train; none for 40 (with a one-shot method, 8) or, with ``time``
            or ``gpu_hours``, for as many as these allow.
        time: How long to search, in seconds or as in ``1h30m``; what lies between an interruption
            and ``resume`` does not count, nor does the winner's training.
        gpu_hours: How many hours of GPUs to hold, all workers together.
        target: The score at which a trial ends the search, as in ``val_accuracy=0.98``.
        finalists: The share of the trials, the last ones, that train the best networks again, on
            other divisions of the data; the winner is chosen by all of their scores. 0 for none.
        max_failures: The number of failed trials that ends the search.
        winner_epochs: How long the winner is trained anew; none for as long as a trial.

    Raises:
        ConfigError: A value is out of range.
    """

    trials: int | None = None
    time: float | str | None = None
    gpu_hours: float | None = None
    target: str | None = None
    finalists: float = 0.0
    max_failures: int | None = None
    winner_epochs: int | None = None

    def check_budget(self) -> None:
        """Check what needs nothing looked up."""
        at_least_one(self, "trials", "winner_epochs", "max_failures")
        if not 0.0 <= self.finalists < 1.0:
            raise ConfigError(f"0 <= finalists < 1 must hold: got {self.finalists}")
        if self.finalists and self.most_trials == math.inf:
            raise ConfigError("finalists are the last of --trials: give a number of trials, too")
        if self.gpu_hours is not None and not 0 < self.gpu_hours < math.inf:
            raise ConfigError(f"gpu_hours must be more than 0, got {self.gpu_hours}")

    @property
    def most_trials(self) -> float:
        """How many trials to train at most; infinite where time or GPU-hours bound the search."""
        if self.trials is not None:
            return self.trials
        if self.time is not None or self.gpu_hours is not None:
            return math.inf
        return _TRIALS
