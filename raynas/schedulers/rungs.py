"""Rungs, and who stands how at one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from raynas.errors import ConfigError
from raynas.trial import Losses

Place = tuple[bool, float, int]
"""By which trials are sorted: what is no number comes last, the earlier of equals first."""


@dataclass(frozen=True, slots=True)
class Rungs:
    """Steps at which trials are compared: after ``grace_epochs``, then each ``eta`` times later.

    Attributes:
        grace_epochs: The first rung, in epochs; nothing is stopped before it.
        eta: Factor between rungs; of ``eta`` trials one goes on.
    """

    grace_epochs: int
    eta: int

    def check(self, scheduler: str, epochs: int | None = None) -> None:
        """Check the options, and that trials of ``epochs`` reach the first rung.

        Raises:
            ConfigError: They do not make sense.
        """
        if self.grace_epochs < 1 or self.eta < 2:
            raise ConfigError(
                f"{scheduler} needs grace_epochs >= 1 and eta >= 2, "
                f"got {self.grace_epochs} and {self.eta}"
            )
        if epochs is not None and self.grace_epochs > epochs:
            raise ConfigError(
                f"{scheduler} needs grace_epochs <= epochs, got a grace of {self.grace_epochs} "
                f"epochs for trials of {epochs}: lower the one or raise the other"
            )

    def below(self, epochs: int) -> tuple[int, ...]:
        """Return the epochs after which a trial of ``epochs`` is compared with others."""
        rungs = []
        rung = self.grace_epochs
        while rung < epochs:
            rungs.append(rung)
            rung *= self.eta
        return tuple(rungs)


def place(number: int, losses: Losses) -> Place:
    """Return where a trial stands by its first loss."""
    loss = losses[0]
    return (True, 0.0, number) if math.isnan(loss) else (False, loss, number)


def best_first(losses: Mapping[int, Losses]) -> list[int]:
    """Return trials by their places.

    Args:
        losses: By trial number.
    """
    return sorted(losses, key=lambda number: place(number, losses[number]))
