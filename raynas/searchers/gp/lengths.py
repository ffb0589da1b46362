"""How long to train: short trainings to look around, full ones for what predictions good."""

from __future__ import annotations

from dataclasses import dataclass

from raynas.errors import ConfigError
from raynas.trial import History, Trial


@dataclass(frozen=True, slots=True)
class Lengths:
    """Two lengths of training, and how they share the time.

    Attributes:
        short: Epochs of a short training.
        full: Epochs of a full one.
        share: Of all training time, what full trainings may take.

    Raises:
        ConfigError: The lengths do not ascend, or the share is none.
    """

    short: int
    full: int
    share: float

    def __post_init__(self) -> None:
        """Check the numbers."""
        if not (1 <= self.short < self.full and 0 < self.share <= 1):
            raise ConfigError(
                "gp needs 1 <= short < full for its fidelities and 0 < full_share <= 1, got "
                f"{self.short}, {self.full} and {self.share}"
            )

    @property
    def lacking(self) -> float:
        """The share of full training that a short one lacks."""
        return 1.0 - self.short / self.full

    def full_is_due(self, history: History) -> bool:
        """Say whether one more full training keeps to its share of the time.

        A training that still runs, and the next, are taken to cost the mean of the short ones,
        longer by as much as they are.
        """
        spent, shorts = {True: 0.0, False: 0.0}, []
        for trial in history.trials.values():
            spent[self._is_full(trial)] += trial.seconds
            if not self._is_full(trial) and trial.seconds:
                shorts.append(trial.seconds)
        if not shorts:
            return False
        one = sum(shorts) / len(shorts) * self.full / self.short
        running = one * sum(map(self._is_full, history.running))
        full = spent[True] + running + one
        return full <= self.share * (full + spent[False])

    def promotable(self, trial: Trial, history: History) -> bool:
        """Say whether a network was trained, but never fully."""
        return not any(
            self._is_full(other) or other.infeasible for other in history.same(trial.identity)
        )

    def _is_full(self, trial: Trial) -> bool:
        return trial.started.epochs > self.short
