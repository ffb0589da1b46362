"""The Gaussian process of NASBOT (Kandasamy et al., 2018, arXiv:1802.07191, sections 4 and B).

The kernel is a sum of two kernels, one of the OTMANN distance lp and one of emd, which is lp
divided by the mass of both networks: ``a1 exp(-sum_i b_i lp_i) + a2 exp(-sum_i c_i emd_i^2)``,
where i is the index of the price of structure. The amplitudes a, the weights b and c, and the
noise are fitted by the marginal likelihood.

Differs from the authors' code: the weights have a log-normal prior around the inverse of the
median distance, so that few trials are enough; the fit uses gradients.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from raynas.searchers.transport.distance_table import Distances

_SPREAD: Final = 1.0  # standard deviation of the logarithms under the priors
_AMPLITUDE, _NOISE = 0.5, 0.1  # prior medians; the variance of the targets is 1
_CLIMB: Final = 30  # the most steps of the fit
_FARTHEST: Final = 8.0  # the fit stays within as many deviations of the priors' medians
_LEAST: Final = 1e-9  # the least variance

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Kernel:
    """The covariance of two networks' scores, and the noise of one training.

    Attributes:
        amplitudes: ``[2]``: the amplitudes of the kernels of lp and of emd.
        weights: ``[2, prices]``: the weights of the distances in the exponents.
        noise: The variance of the target of a single training.
    """

    amplitudes: Floats
    weights: Floats
    noise: float

    def __call__(self, apart: Distances) -> Floats:
        """Return ``[networks, others]``: the covariances."""
        by_lp, by_emd = self.parts(apart)
        return by_lp + by_emd

    def parts(self, apart: Distances) -> tuple[Floats, Floats]:
        """Return the kernel of lp and the kernel of emd, ``[networks, others]`` each."""
        by_lp, by_emd = (
            amplitude * np.exp(-np.tensordot(weights, exponent, 1))
            for amplitude, weights, exponent in zip(
                self.amplitudes, self.weights, _exponents(apart), strict=True
            )
        )
        return by_lp, by_emd


@dataclass(frozen=True, slots=True, eq=False)
class Posterior:
    """The posterior of the Gaussian process, given the scores of some known networks.

    Attributes:
        factor: ``[known, known]``: the lower Cholesky factor of their covariance with noise.
        solved: ``[known]``: the inverse of that covariance times their targets.
        variance: The prior variance of a network.
    """

    factor: Floats
    solved: Floats
    variance: float

    def at(self, covariances: Floats) -> tuple[Floats, Floats]:
        """Return the means and the standard deviations, ``[networks]`` each.

        Args:
            covariances: ``[known, networks]``: the covariances with the known networks.
        """
        from scipy.linalg import solve_triangular  # noqa: PLC0415 - slow to load

        explained = solve_triangular(self.factor, covariances, lower=True)
        variance = self.variance - np.square(explained).sum(0)
        return covariances.T @ self.solved, np.sqrt(variance.clip(_LEAST))


def posterior(covariances: Floats, noise: Floats, targets: Floats) -> Posterior:
    """Return the posterior, given the scores of some known networks.

    Args:
        covariances: ``[known, known]``, with equal values on the diagonal; it is projected to the
            nearest positive semi-definite matrix.
        noise: ``[known]``: the variances of the targets.
        targets: ``[known]``: the scores.
    """
    from scipy.linalg import cho_solve  # noqa: PLC0415 - slow to load

    projected, _, _ = _projected(covariances)
    factor = np.linalg.cholesky(projected + np.diag(noise + _LEAST)).astype(float)
    solved = cho_solve((factor, True), targets)
    return Posterior(factor, solved, float(covariances[0, 0]))


def believing(
    covariances: Floats, noise: Floats, targets: Floats, noise_of_others: float
) -> Posterior:
    """Return the posterior that assumes that running trainings end with their expected scores.

    This is the kriging believer of Ginsbourger et al. (2010, section 4).

    Args:
        covariances: ``[known + running, known + running]``.
        noise: ``[known]``: the variances of the targets.
        targets: ``[known]``: the scores.
        noise_of_others: The variance of the target of a running training.
    """
    known = len(targets)
    others = len(covariances) - known
    before = posterior(covariances[:known, :known], noise, targets)
    if not others:
        return before
    expected, _ = before.at(covariances[:known, known:])
    return posterior(
        covariances,
        np.concatenate([noise, np.full(others, noise_of_others)]),
        np.concatenate([targets, expected]),
    )


def expected_improvement(best: float, mean: Floats, deviation: Floats) -> Floats:
    """Return ``[networks]``: the expected improvement below ``best``; targets are minimised."""
    from scipy.special import ndtr  # noqa: PLC0415 - slow to load

    below = (best - mean) / deviation
    density = np.exp(-np.square(below) / 2) / math.sqrt(2 * math.pi)
    expected: Floats = deviation * (below * ndtr(below) + density)
    return expected


def fit(apart: Distances, targets: Floats, counts: Floats) -> Kernel:
    """Return the kernel with the maximum a posteriori parameters.

    Args:
        apart: The distances, ``[prices, networks, networks]`` each.
        targets: ``[networks]``: the scores, approximately standardised.
        counts: ``[networks]``: the number of trainings of which each target is the mean.
    """
    from scipy.optimize import minimize  # noqa: PLC0415 - slow to load

    start = _centre(apart)

    def loss(parameters: Floats) -> tuple[float, Floats]:
        kernel = _kernel(start * np.exp(parameters))
        value, slopes = negative_log_likelihood(kernel, apart, targets, counts)
        away = parameters / _SPREAD**2
        return value + float(parameters @ away) / 2, slopes + away

    # The line search may take very long steps; without bounds the kernel would overflow.
    reach = _FARTHEST * _SPREAD
    best = minimize(
        loss,
        np.zeros(len(start)),
        jac=True,
        method="L-BFGS-B",
        bounds=[(-reach, reach)] * len(start),
        options={"maxiter": _CLIMB},
    )
    return _kernel(start * np.exp(best.x))


def negative_log_likelihood(
    kernel: Kernel, apart: Distances, targets: Floats, counts: Floats
) -> tuple[float, Floats]:
    """Return the negative log marginal likelihood, up to a constant, and its gradient.

    The gradient is by the logarithms of the parameters, in the order: noise, amplitudes, weights
    of lp, weights of emd.

    Args:
        kernel: The kernel.
        apart: The distances, ``[prices, networks, networks]`` each.
        targets: ``[networks]``: the scores.
        counts: ``[networks]``: the number of trainings of which each target is the mean.
    """
    from scipy.linalg import cho_solve  # noqa: PLC0415 - slow to load

    parts = kernel.parts(apart)
    noise = kernel.noise / counts
    projected, values, vectors = _projected(parts[0] + parts[1])
    factor = np.linalg.cholesky(projected + np.diag(noise + _LEAST))
    inverse = cho_solve((factor, True), np.eye(len(targets)))
    solved = inverse @ targets
    slope = (inverse - np.outer(solved, solved)) / 2
    inner = vectors @ (_quotients(values) * (vectors.T @ slope @ vectors)) @ vectors.T
    gradient = [np.diag(slope) @ noise, *(np.sum(inner * part) for part in parts)]
    for weights, exponent, part in zip(kernel.weights, _exponents(apart), parts, strict=True):
        gradient.extend(-weights * np.tensordot(exponent, inner * part, 2))
    value = np.log(np.diag(factor)).sum() + targets @ solved / 2
    return float(value), np.array(gradient)


def _exponents(apart: Distances) -> tuple[Floats, Floats]:
    return apart.lp, apart.emd**2


def _projected(covariances: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the nearest positive semi-definite matrix, the eigenvalues and the eigenvectors.

    The projection is needed because the kernel is not always positive semi-definite.
    """
    values, vectors = np.linalg.eigh(covariances)
    return (vectors * values.clip(0)) @ vectors.T, values, vectors


def _quotients(values: Floats) -> Floats:
    """Return the divided differences of the projection, which its gradient needs."""
    apart = np.subtract.outer(values, values)
    alike = np.abs(apart) < _LEAST
    kept = np.subtract.outer(values.clip(0), values.clip(0))
    quotients: Floats = np.where(alike, values > 0, kept / np.where(alike, 1, apart))
    return quotients


def _centre(apart: Distances) -> Floats:
    """Return the medians of the priors: noise, amplitudes, weights of lp, weights of emd."""
    middles = []
    for exponent in _exponents(apart):
        for distances in exponent:
            apart_at_all = distances[distances > 0]
            middle = np.median(apart_at_all) if apart_at_all.size else 1.0
            middles.append(1 / (len(exponent) * middle))
    return np.array([_NOISE, _AMPLITUDE, _AMPLITUDE, *middles])


def _kernel(parameters: Floats) -> Kernel:
    return Kernel(parameters[1:3], parameters[3:].reshape(2, -1), float(parameters[0]))
