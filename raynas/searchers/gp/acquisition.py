"""The expected value of one more training: augmented expected improvement.

Huang et al. (2006, J. Global Optimization 34, section 3.3) define it for one fidelity, and Huang
et al. (2006, Struct. Multidisc. Optim. 32) for several fidelities.

Differs from the papers: the improvement is measured from the best posterior mean; the value of
training the best network again is the value of learning that another network is better.
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
    """Return the mean of max(0, x) for normal variables x with these means and deviations."""
    from scipy.special import ndtr  # noqa: PLC0415 - slow to load, only some need it

    u = mean / deviation
    density = np.exp(-0.5 * u * u) / np.sqrt(2 * np.pi)
    improvement: Floats = deviation * (u * ndtr(u) + density)
    return improvement


def noise_factor(variance: Floats, noise: float) -> Floats:
    """Return the factor, 0 to 1, by which noise reduces an expected improvement; 1 is no noise.

    Args:
        variance: ``[points]`` the posterior variances.
        noise: The variance of one training.
    """
    return 1.0 - np.sqrt(noise / (variance + noise))


@dataclass(frozen=True, slots=True)
class Acquisition:
    """The expected value of training a network next, given all trainings so far.

    Attributes:
        posterior: The fitted Gaussian process.
        known: The networks that were trained, at least one.
        low: The fraction of a full training by which the next training will be shorter. The
            value of a short training is what it tells about a full training.
    """

    posterior: Posterior
    known: Points
    low: float = 0.0

    def of_repeats(self) -> Floats:
        """Return ``[known]``: the value of training each known network once more."""
        full = self.posterior.predict(self.known.at(0.0))
        mean = full.mean - full.mean.max()
        if len(mean) > 1:
            best, second = np.argsort(-full.mean, kind="stable")[:2]
            mean[best] = full.mean[second] - full.mean[best]
        return self._of(self.known, full, mean)

    def of_new(self, fresh: Points) -> Floats:
        """Return ``[fresh]``: the value of training each new network for the first time."""
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
    """Return the index of the greatest value; of values equal up to rounding, the first."""
    top = values.max()
    return int(np.argmax(values >= top - _TIE * abs(top)))


def best_several(values: Floats, count: int) -> list[int]:
    """Return the indices of the greatest values, at most ``count``; the first is ``best_of``'s."""
    first = best_of(values)
    order = np.argsort(-values, kind="stable").tolist()
    return [first, *(at for at in order if at != first)][:count]
