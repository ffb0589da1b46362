"""A Gaussian process: its prior, its maximum a posteriori fit, and its predictions.

The target is ``-log(gap + c)``, standardised. The gap of a training is its loss minus the best
loss so far, and ``c`` is fitted. So differences between good networks count more than differences
between bad ones.
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
_OWN_OF_NUMBERS: Final = -12.0  # the same if the space has numbers: see ``Prior``
_OWN_DEVIATION: Final = 1.5
_ENDS: Final = ((-4.0, 1.5), (math.log(0.3), 1.0))
"""Prior mean and deviation of log(noise), and of log(c / median gap)."""

_ITERATIONS: Final = 25
_FIRST: Final = 8  # the first iterations, done from each start
_LITTLE: Final = -4.0  # the second start adds this to the log of the noise
_REACH: Final = 4.0  # the fit stays within as many deviations of the prior's mean
_DIGITS: Final = 3  # decimals of theta; the number of BLAS threads changes later ones
_JITTER: Final = 1e-8
_TINY: Final = 1e-12
_LARGEST: Final = 300.0  # of the log of a gap, so that no loss is infinite


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """The transformed gaps, for one value of ``c``.

    Attributes:
        z: ``[n]``: the standardised targets; higher is better.
        slope: ``[n]``: the derivative of ``z`` by ``log c``.
        density: Minus the log of the Jacobian determinant of the transformation.
        density_slope: The derivative of ``density`` by ``log c``.
        centre: The mean of ``-log(gap + c)``, which standardisation subtracts.
        spread: Its standard deviation, by which standardisation divides.
        c: What is added to the gaps.
    """

    z: Floats
    slope: Floats
    density: float
    density_slope: float
    centre: float
    spread: float
    c: float

    def gap(self, z: Floats) -> Floats:
        """Return the gaps of targets; below zero if they are better than the best so far."""
        raw = np.minimum(-(self.centre + self.spread * z), _LARGEST)
        gap: Floats = np.exp(raw) - self.c
        return gap

    def z_of(self, gap: float) -> float:
        """Return the target of a gap; infinite for one that is better than all can be."""
        if gap + self.c <= 0:
            return math.inf
        return (-math.log(gap + self.c) - self.centre) / self.spread


def target(gap: Floats, log_c: float) -> Target:
    """Transform the gaps.

    Args:
        gap: ``[n]``: the losses minus the best loss.
        log_c: The logarithm of ``c`` divided by the median gap.
    """
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
        float(raw.mean()),
        spread,
        c,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Prior:
    """The prior of the Gaussian process and of its parameters.

    If the space has numbers, the prior of tau2 is very small. Otherwise each of the many untried
    networks that are almost equal to the best one would have a high variance of its own, and the
    search would only try networks close to the first good one.

    Attributes:
        blocks: The groups of columns that the kernel compares.
        own: The mean of log tau2.
        offset: The variance of the common shift of all trainings of equal length.
    """

    blocks: tuple[Block, ...]
    own: float
    offset: float = 0.0

    @classmethod
    def of(cls, layout: Layout, *, several: bool) -> Prior:
        """Return the prior.

        Args:
            layout: The rows of the space.
            several: Whether trainings have several lengths.
        """
        own = _OWN_OF_NUMBERS if layout.number.any() else _OWN
        if not several:
            return cls(layout.blocks, own)
        faded = (block.faded() for block in layout.blocks)
        return cls((*layout.blocks, *faded), own, OFFSET)

    @property
    def mean(self) -> Floats:
        """``[parameters]``: means of the kernel's theta, of the log noise, and of ``log c``."""
        parts = [[block.level, *block.mean] for block in self.blocks]
        return np.concatenate([*parts, [self.own, *(mean for mean, _ in _ENDS)]])

    @property
    def deviation(self) -> Floats:
        """``[parameters]``: the standard deviations, in the order of ``mean``."""
        blocks = sum(1 + len(block.mean) for block in self.blocks)
        ends = (deviation for _, deviation in _ENDS)
        return np.concatenate([np.ones(blocks), [_OWN_DEVIATION, *ends]])

    def kernel(self, theta: Floats) -> Kernel:
        """Return the kernel with these parameters."""
        return Kernel(self.blocks, theta[:-2], self.offset)

    def loss(self, theta: Floats, points: Points, gap: Floats) -> tuple[float, Floats]:
        """Return minus the log posterior density of ``theta``, up to a constant, and its gradient.

        Rasmussen & Williams (2006), equations 2.30 and 5.9, plus the density of the target.

        Args:
            theta: ``[parameters]``, in the order of ``mean``.
            points: The ``n`` finished trainings.
            gap: ``[n]``: their losses minus the best loss.
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
        """Return the maximum a posteriori ``theta``, ``[parameters]``.

        The optimiser can end in a local optimum that explains a trend as noise. So it starts
        twice, from the prior's mean and from low noise, and continues from the better result
        after the first few iterations.

        Args:
            points: The ``n`` finished trainings.
            gap: ``[n]``: their losses minus the best loss.
        """
        little = self.mean
        little[-2] += _LITTLE
        starts = [self._climb(start, _FIRST, points, gap) for start in (self.mean, little)]
        ahead = min(starts, key=attrgetter("fun"))
        found = self._climb(ahead.x, _ITERATIONS - _FIRST, points, gap)
        theta: Floats = np.round(found.x, _DIGITS)
        return theta

    def _climb(self, start: Floats, steps: int, points: Points, gap: Floats) -> Any:
        """Minimise ``loss`` from ``start`` in at most ``steps`` iterations; return the result."""
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
    """The posterior of the Gaussian process after some trainings.

    Attributes:
        kernel: The kernel.
        noise: The variance of one training.
        points: The ``n`` trainings; the finished ones first, then the running ones.
        factor: ``[n, n]``: the lower Cholesky factor of their covariance with noise.
        alpha: ``[finished]``: the inverse covariance of the finished trainings times the targets.
    """

    kernel: Kernel
    noise: float
    points: Points
    factor: Floats
    alpha: Floats

    def mean(self, points: Points, *, own: bool = True) -> Floats:
        """Return ``[len(points)]``: the posterior means.

        Args:
            points: Trainings.
            own: Whether to use tau2, which only a network's own trainings inform.
        """
        finished = self.points.take(np.arange(len(self.alpha)))
        expected: Floats = self.alpha @ self.kernel.between(finished, points, own=own)
        return expected

    def predict(self, points: Points) -> Prediction:
        """Return the predicted means and variances of trainings."""
        from scipy.linalg import solve_triangular  # noqa: PLC0415 - slow to load

        across = self.kernel.between(self.points, points)
        white = solve_triangular(self.factor, across, lower=True, check_finite=False)
        left = self.kernel.variance(points) - (white * white).sum(0)
        return Prediction(self.alpha @ across[: len(self.alpha)], np.maximum(left, _TINY), white)


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """The prediction for ``m`` trainings, without their noise.

    Attributes:
        mean: ``[m]``: the posterior means.
        variance: ``[m]``: the posterior variances.
        white: ``[n, m]``: the covariance with the ``n`` trainings of the posterior, whitened.
    """

    mean: Floats
    variance: Floats
    white: Floats


def condition(
    kernel: Kernel, noise: float, points: Points, z: Floats, running: Points | None = None
) -> Posterior:
    """Return the posterior.

    Running trainings are assumed to finish with their expected values (the kriging believer of
    Ginsbourger et al., 2010, section 4). This changes no mean; it only reduces the variances.

    Args:
        kernel: The kernel.
        noise: The variance of one training.
        points: The ``n`` finished trainings.
        z: ``[n]``: their targets.
        running: The running trainings; none if there are none.
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
