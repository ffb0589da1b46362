"""The length of a training: short ones explore, full ones train the most promising networks."""

from __future__ import annotations

from dataclasses import dataclass

from raynas.errors import ConfigError
from raynas.trial import History, Trial


@dataclass(frozen=True, slots=True)
class Lengths:
    """Two lengths of training, and the division of the training time between them.

    Attributes:
        short: The epochs of a short training.
        full: The epochs of a full training.
        share: The fraction of all training time that full trainings may use.

    Raises:
        ConfigError: ``short`` is not below ``full``, or ``share`` is not in (0, 1].
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
        """The fraction of a full training by which a short training is shorter."""
        return 1.0 - self.short / self.full

    def full_is_due(self, history: History) -> bool:
        """Return whether one more full training stays within its share of the time.

        The time of a running or future full training is estimated: the mean time of the short
        trainings, multiplied by ``full / short``.
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
        """Return whether a trained network has had no full training and no failure of its own."""
        return not any(
            self._is_full(other) or other.infeasible for other in history.same(trial.identity)
        )

    def _is_full(self, trial: Trial) -> bool:
        return trial.started.epochs > self.short
