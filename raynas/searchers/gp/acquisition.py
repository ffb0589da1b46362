"""What a further training is worth (Huang et al., 2006, J. Global Optimization 34, section 3.3).

Augmented expected improvement, and its sequel for several fidelities (Huang et al., 2006, Struct.
Multidisc. Optim. 32). Differs: improvement counts from the best posterior mean; a repeat of the
best network is worth what it would be worth to learn that it is not the best.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from raynas.searchers.gp.kernel import Points
from raynas.searchers.gp.layout import Floats
from raynas.searchers.gp.model import Posterior, Prediction

_TIE: Final = 1e-9


def expected_improvement(mean: Floats, deviation: Floats) -> Floats:
    """Return the mean of what lies above zero of normal variables."""
    from scipy.special import ndtr  # noqa: PLC0415 - slow to load, only some need it

    u = mean / deviation
    density = np.exp(-0.5 * u * u) / np.sqrt(2 * np.pi)
    improvement: Floats = deviation * (u * ndtr(u) + density)
    return improvement


def noise_factor(variance: Floats, noise: float) -> Floats:
    """Return the share, 0 to 1, of an improvement that noise leaves; 1 without noise."""
    return 1.0 - np.sqrt(noise / (variance + noise))


@dataclass(frozen=True, slots=True)
class Acquisition:
    """What it is worth to train networks, after all that was trained.

    Attributes:
        posterior: The fitted process.
        known: Networks that were trained, at least one.
        low: The share of full training that the next training is to lack; what it is worth is
            what it says about full ones.
    """

    posterior: Posterior
    known: Points
    low: float = 0.0

    def of_repeats(self) -> Floats:
        """Return ``[known]`` what it is worth to train each of those known once more."""
        full = self.posterior.predict(self.known.at(0.0))
        mean = full.mean - full.mean.max()
        if len(mean) > 1:
            best, second = np.argsort(-full.mean, kind="stable")[:2]
            mean[best] = full.mean[second] - full.mean[best]
        return self._of(self.known, full, mean)

    def of_new(self, fresh: Points) -> Floats:
        """Return ``[fresh]`` what it is worth to train others for the first time."""
        full = self.posterior.predict(fresh.at(0.0))
        best = self.posterior.mean(self.known.at(0.0)).max()
        return self._of(fresh, full, full.mean - best)

    def _of(self, points: Points, full: Prediction, mean: Floats) -> Floats:
        posterior = self.posterior
        value = expected_improvement(mean, np.sqrt(full.variance))
        if self.low == 0.0:
            return value * noise_factor(full.variance, posterior.noise)
        short = posterior.predict(points.at(self.low))
        together = posterior.kernel.lasting - (short.white * full.white).sum(0)
        correlation = np.clip(together / np.sqrt(short.variance * full.variance), 0.0, 1.0)
        value *= correlation * noise_factor(short.variance, posterior.noise)
        return value


def best_of(values: Floats) -> int:
    """Return the first of the greatest, among which those within rounding errors count."""
    top = values.max()
    return int(np.argmax(values >= top - _TIE * abs(top)))
