"""Rungs, and the order of trials at a rung."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from raynas.errors import ConfigError
from raynas.trial import Score

Place = tuple[float, float, int]
"""A trial's sort key: violation, first loss, number. Of equal trials, the earlier is first."""


@dataclass(frozen=True, slots=True)
class Rungs:
    """Steps at which trials are compared: after ``grace_epochs``, then each ``eta`` times later.

    Attributes:
        grace_epochs: The first rung, in epochs; no trial is stopped before it.
        eta: Factor between rungs; one of ``eta`` trials continues.
    """

    grace_epochs: int
    eta: int

    def check(self, scheduler: str, epochs: int | None = None) -> None:
        """Check the options, and that trials of ``epochs`` reach the first rung.

        Raises:
            ConfigError: An option is out of range, or trials end before the first rung.
        """
        if self.grace_epochs < 1 or self.eta < 2:
            raise ConfigError(
                f"{scheduler} needs grace_epochs >= 1 and eta >= 2, "
                f"got {self.grace_epochs} and {self.eta}"
            )
        if epochs is not None and self.grace_epochs > epochs:
            raise ConfigError(
                f"{scheduler} needs grace_epochs <= epochs, got a grace of {self.grace_epochs} "
                f"epochs for trials of {epochs}: lower grace_epochs, or raise epochs"
            )

    def below(self, epochs: int) -> tuple[int, ...]:
        """Return the epochs after which a trial of ``epochs`` is compared with others."""
        rungs = []
        rung = self.grace_epochs
        while rung < epochs:
            rungs.append(rung)
            rung *= self.eta
        return tuple(rungs)


def place(number: int, score: Score) -> Place:
    """Return a trial's sort key by its first loss."""
    return *score.first, number


def best_first(scores: Mapping[int, Score]) -> list[int]:
    """Return the numbers of trials, best first.

    Args:
        scores: By trial number.
    """
    return sorted(scores, key=lambda number: place(number, scores[number]))
