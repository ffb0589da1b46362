"""A Gaussian process: its prior, its fit by maximum a posteriori, what it expects.

The target is ``-log(gap + c)``, standardised, where the gap is the distance to the best loss seen
and ``c`` is fitted too: what distinguishes good networks counts more than what distinguishes bad
ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final

import numpy as np

from raynas.searchers.gp.kernel import OFFSET, Kernel, Points
from raynas.searchers.gp.layout import Block, Floats, Layout

_OWN: Final = -5.0  # prior mean of log tau2
_OWN_OF_NUMBERS: Final = -12.0  # the same where numbers are searched: see ``Prior``
_OWN_DEVIATION: Final = 1.5
_ENDS: Final = ((-4.0, 1.5), (math.log(0.3), 1.0))
"""Prior mean and deviation of the logarithms of the noise, and of ``c`` by the median."""

_ITERATIONS: Final = 25
_FIRST: Final = 8  # of these, from each start
_LITTLE: Final = -4.0  # what the second start adds to the log of the noise
_REACH: Final = 4.0  # deviations from the prior's mean, at most
_DIGITS: Final = 3  # of theta; coarser than what the number of BLAS threads changes
_JITTER: Final = 1e-8
_TINY: Final = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """What is to be explained, for a ``c``.

    Attributes:
        z: ``[n]`` standardised, more is better.
        slope: ``[n]`` its derivative by ``log c``.
        density: Minus the log of the density by which the transformation changes the likelihood.
        density_slope: Its derivative by ``log c``.
    """

    z: Floats
    slope: Floats
    density: float
    density_slope: float


def target(gap: Floats, log_c: float) -> Target:
    """Transform gaps ``[n]``; ``log_c`` is relative to their median."""
    n = len(gap)
    c = math.exp(log_c) * float(np.median(gap) or gap.mean() or 1.0)
    raw, slope = -np.log(gap + c), -c / (gap + c)
    spread = float(raw.std()) + _TINY
    z, centred = (raw - raw.mean()) / spread, slope - slope.mean()
    by_spread = float((z * centred).mean())
    return Target(
        z,
        (centred - z * by_spread) / spread,
        n * math.log(spread) + float(np.log(gap + c).sum()),
        n * by_spread / spread - float(slope.sum()),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Prior:
    """The prior of the process, before anything was trained.

    Where numbers are searched, next to nothing belongs to one network alone: of the many that
    differ by a hair, each untried one would otherwise hold out the same hope again, and the search
    would end beside the first good one.

    Attributes:
        blocks: What the kernel compares.
        own: Mean of log tau2.
        offset: Variance of each length of training.
    """

    blocks: tuple[Block, ...]
    own: float
    offset: float = 0.0

    @classmethod
    def of(cls, layout: Layout, *, several: bool) -> Prior:
        """Return the prior for trainings of one length, or of several."""
        own = _OWN_OF_NUMBERS if layout.number.any() else _OWN
        if not several:
            return cls(layout.blocks, own)
        faded = (block.faded() for block in layout.blocks)
        return cls((*layout.blocks, *faded), own, OFFSET)

    @property
    def mean(self) -> Floats:
        """``[parameters]``: the kernel's theta, then the logarithms of the noise and of ``c``."""
        parts = [[block.level, *block.mean] for block in self.blocks]
        return np.concatenate([*parts, [self.own, *(mean for mean, _ in _ENDS)]])

    @property
    def deviation(self) -> Floats:
        """``[parameters]``."""
        blocks = sum(1 + len(block.mean) for block in self.blocks)
        ends = (deviation for _, deviation in _ENDS)
        return np.concatenate([np.ones(blocks), [_OWN_DEVIATION, *ends]])

    def kernel(self, theta: Floats) -> Kernel:
        """Return the kernel with these parameters."""
        return Kernel(self.blocks, theta[:-2], self.offset)

    def loss(self, theta: Floats, points: Points, gap: Floats) -> tuple[float, Floats]:
        """Return the negative log posterior density of ``theta``, up to a constant; its gradient.

        Rasmussen & Williams (2006), equations 2.30 and 5.9, with the density of the target.
        """
        kernel, noise = self.kernel(theta), math.exp(theta[-2])
        transformed, pull = target(gap, theta[-1]), (theta - self.mean) / self.deviation
        gram = _noisy(kernel.between(points, points), noise)
        inverse = np.linalg.inv(gram)
        alpha = inverse @ transformed.z
        half_log_det = np.log(np.diag(np.linalg.cholesky(gram))).sum()
        loss = 0.5 * (transformed.z @ alpha + pull @ pull) + half_log_det + transformed.density
        outer = 0.5 * (inverse - np.outer(alpha, alpha))
        by_ends = [noise * np.trace(outer), alpha @ transformed.slope + transformed.density_slope]
        return float(loss), np.append(kernel.gradient(points, outer), by_ends) + (
            pull / self.deviation
        )

    def fit(self, points: Points, gap: Floats) -> Floats:
        """Return the likeliest ``theta`` ``[parameters]`` after trainings with these gaps.

        What is taken for noise may be a slope, and a climb that begins with noise does not always
        find out. So one sets out from the prior's mean and one from little noise, and who is
        ahead after a few steps goes on.
        """
        little = self.mean
        little[-2] += _LITTLE
        starts = [self._climb(start, _FIRST, points, gap) for start in (self.mean, little)]
        ahead = min(starts, key=attrgetter("fun"))
        found = self._climb(ahead.x, _ITERATIONS - _FIRST, points, gap)
        theta: Floats = np.round(found.x, _DIGITS)
        return theta

    def _climb(self, start: Floats, steps: int, points: Points, gap: Floats) -> Any:
        """Return scipy's result: where ``loss`` leads from ``start`` in so many steps."""
        from scipy.optimize import minimize  # noqa: PLC0415 - slow to load, only some need it

        mean, reach = self.mean, _REACH * self.deviation
        return minimize(
            self.loss,
            start,
            (points, gap),
            jac=True,
            method="L-BFGS-B",
            bounds=np.stack([mean - reach, mean + reach], axis=1),
            options={"maxiter": steps},
        )


@dataclass(frozen=True, slots=True, eq=False)
class Posterior:
    """What is expected of networks after some trainings.

    Attributes:
        kernel: Compares them.
        noise: Variance of one training.
        points: The trainings, those that still run at the end.
        factor: ``[n, n]`` the lower Cholesky factor of their covariance.
        alpha: ``[finished]`` the covariance of those that finished, inverse, times their target.
    """

    kernel: Kernel
    noise: float
    points: Points
    factor: Floats
    alpha: Floats

    def mean(self, points: Points, *, own: bool = True) -> Floats:
        """Return ``[len(points)]`` what is expected.

        Args:
            points: Of which trainings.
            own: Whether to trust what only a network's own trainings say about it.
        """
        finished = self.points.take(np.arange(len(self.alpha)))
        expected: Floats = self.alpha @ self.kernel.between(finished, points, own=own)
        return expected

    def predict(self, points: Points) -> Prediction:
        """Return what is expected of trainings, and how surely."""
        from scipy.linalg import solve_triangular  # noqa: PLC0415 - slow to load

        across = self.kernel.between(self.points, points)
        white = solve_triangular(self.factor, across, lower=True, check_finite=False)
        left = self.kernel.variance(points) - (white * white).sum(0)
        return Prediction(self.alpha @ across[: len(self.alpha)], np.maximum(left, _TINY), white)


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """What is expected of some trainings before their noise.

    Attributes:
        mean: ``[m]``.
        variance: ``[m]``.
        white: ``[n, m]`` covariance with what was trained, whitened.
    """

    mean: Floats
    variance: Floats
    white: Floats


def condition(
    kernel: Kernel, noise: float, points: Points, z: Floats, running: Points | None = None
) -> Posterior:
    """Return the posterior after trainings that finished with ``z``.

    Trainings that still run are assumed to turn out as expected (the kriging believer of
    Ginsbourger et al., 2010, section 4): that leaves every mean where it is and only takes away
    the uncertainty that they will.
    """
    from scipy.linalg import cho_solve, cholesky  # noqa: PLC0415 - slow to load, only some need it

    everything = points if running is None else points + running
    gram = _noisy(kernel.between(everything, everything), noise)
    factor = cholesky(gram, lower=True, check_finite=False)
    n = len(points)
    alpha: Floats = cho_solve((factor[:n, :n], True), z, check_finite=False)
    return Posterior(kernel, noise, everything, factor, alpha)


def _noisy(covariance: Floats, noise: float) -> Floats:
    covariance[np.diag_indices(len(covariance))] += noise + _JITTER
    return covariance
