"""Stopping by extrapolated learning curves (Domhan et al., 2015, IJCAI, section 3).

Differs from the paper: of its eleven families the three-parameter power law alone, whose decay is
averaged over a grid and whose other two parameters have a closed form; no sampling, so that a
verdict takes a fraction of a millisecond. Under constraints, what a trial breaks is extrapolated
in the same way: it must come down to what the best finished trial breaks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from scipy.special import stdtr

from raynas.errors import ConfigError
from raynas.schedulers.memo import Memo
from raynas.schedulers.rung_ranking import RungRankings
from raynas.schedulers.verdict import Verdict
from raynas.trial import History, Report, Trial

_DECAYS: Final = np.geomspace(0.1, 3.0, 16)
_LEAST: Final = 4  # points of a curve; three parameters fit three points exactly


@dataclass(frozen=True, slots=True)
class Extrapolation:
    """Stop a trial that is unlikely to end better than the best finished trial.

    Attributes:
        grace_epochs: No trial is stopped before this epoch; at least four, to fit a curve.
        chance: A trial continues while its probability to become the best is above this value.

    Raises:
        ConfigError: ``grace_epochs`` is too small, or ``chance`` is not between 0 and 1.
    """

    grace_epochs: int = _LEAST
    chance: float = 0.05
    _rankings: Memo[RungRankings] = field(
        default_factory=lambda: Memo(RungRankings), init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        """Check the options."""
        if self.grace_epochs < _LEAST or not 0 < self.chance < 1:
            raise ConfigError(
                f"extrapolation needs grace_epochs >= {_LEAST} and 0 < chance < 1, "
                f"got {self.grace_epochs} and {self.chance}"
            )

    def check(self, epochs: int) -> None:
        """Refuse runs in which nothing would ever be stopped."""
        if self.grace_epochs >= epochs:
            raise ConfigError(
                f"extrapolation needs grace_epochs < epochs, got a grace of {self.grace_epochs} "
                f"epochs for trials of {epochs}: use another scheduler, or raise epochs"
            )

    def decide(self, report: Report, history: History) -> Verdict:
        """Compare the trial's predicted final loss with the best final loss."""
        trial = history.trials[report.number]
        full = self._rankings.of(history).at(history, trial.started.epochs)
        if len(trial.reports) < self.grace_epochs or not len(full):
            return Verdict.GO
        best = history.trials[full[0]]
        chance = 1.0
        if trial.violation:
            broken = trial.violations(history.constraints)
            chance = _chance(trial, broken, best.violation)
        if not best.violation and chance > self.chance:
            chance *= _chance(trial, trial.curve(history.objectives[0]), best.loss)
        return Verdict.GO if chance > self.chance else Verdict.STOP


def _chance(trial: Trial, values: Sequence[float], bar: float) -> float:
    """Return the probability that a trial ends with a value below a bar; 0 after infinite ones."""
    if not np.isfinite(values).all():
        return 0.0
    curve = [*zip(trial.reports.epochs, values, strict=True)]
    return chance_below(bar, curve, trial.started.epochs)


def chance_below(bar: float, curve: Sequence[tuple[int, float]], epoch: int) -> float:
    """Return the probability that a learning curve is below ``bar`` after ``epoch``.

    The model is a + b e^-c plus noise, with e the epoch. For every c of a grid, a and b have
    Student's distribution (flat prior, unknown noise); the values of c are weighted by the
    likelihood of the curve.

    Args:
        bar: A loss.
        curve: Epochs and losses, at least four.
        epoch: The epoch to predict.
    """
    epochs, losses = np.array(curve, np.float64).T
    freedom = len(curve) - 2
    powers = epochs ** -_DECAYS[:, None]
    centre, middle = powers.mean(axis=1), losses.mean()
    powers, losses = powers - centre[:, None], losses - middle
    width = (powers * powers).sum(axis=1)
    slope = powers @ losses / width
    square = np.square(losses - slope[:, None] * powers).sum(axis=1)
    # A perfect fit says nothing about the noise, so a little noise is always assumed.
    noise = np.maximum(square / freedom, 1e-6 * losses.var() + 1e-18)
    ahead = float(epoch) ** -_DECAYS - centre
    deviation = np.sqrt(noise * (1.0 + 1.0 / len(curve) + ahead * ahead / width))
    chances = stdtr(freedom, (bar - middle - slope * ahead) / deviation)
    weights = -0.5 * freedom * np.log(noise) - 0.5 * np.log(width)
    likely = np.exp(weights - weights.max())
    return float(likely @ chances / likely.sum())
