"""The Gaussian process of NASBOT (Kandasamy et al., 2018, arXiv:1802.07191, section 4 and B).

Its kernel is a sum of two, of the OTMANN distance as it is and of the one divided by both masses:
``a1 exp(-sum_i b_i lp_i) + a2 exp(-sum_i c_i emd_i^2)``, over the prices of structure. What they
weigh, and the noise, is fitted by marginal likelihood.

Differs from the authors' code: weights have a log-normal prior around the inverse of the median
distance, so that few trials are enough; it is climbed by gradient.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from raynas.searchers.transport.distance_table import Distances

_SPREAD: Final = 1.0  # of the priors, in logarithms
_AMPLITUDE, _NOISE = 0.5, 0.1  # of either kernel and of one training, of a target of variance 1
_CLIMB: Final = 30  # steps of the fit
_FARTHEST: Final = 8.0  # deviations of the priors from their median, to which the fit may go
_LEAST: Final = 1e-9  # variance that is left where everything is known

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Kernel:
    """How alike networks are, and how noisy a score is.

    Attributes:
        amplitudes: ``[2]`` of the kernels of lp and of emd.
        weights: ``[2, prices]`` of the distances in the exponents.
        noise: The variance of a single training's target.
    """

    amplitudes: Floats
    weights: Floats
    noise: float

    def __call__(self, apart: Distances) -> Floats:
        """Return ``[ones, others]`` covariances."""
        by_lp, by_emd = self.parts(apart)
        return by_lp + by_emd

    def parts(self, apart: Distances) -> tuple[Floats, Floats]:
        """Return the covariances by lp and by emd."""
        by_lp, by_emd = (
            amplitude * np.exp(-np.tensordot(weights, exponent, 1))
            for amplitude, weights, exponent in zip(
                self.amplitudes, self.weights, _exponents(apart), strict=True
            )
        )
        return by_lp, by_emd


@dataclass(frozen=True, slots=True, eq=False)
class Posterior:
    """What is known after some networks were scored.

    Attributes:
        factor: ``[known, known]`` Cholesky factor of their covariance with noise.
        solved: ``[known]`` the covariance's inverse times their targets.
        variance: Of a network about which nothing is known.
    """

    factor: Floats
    solved: Floats
    variance: float

    def at(self, covariances: Floats) -> tuple[Floats, Floats]:
        """Return mean and deviation, ``[networks]`` each.

        Args:
            covariances: ``[known, networks]``.
        """
        from scipy.linalg import solve_triangular  # noqa: PLC0415 - slow to load

        explained = solve_triangular(self.factor, covariances, lower=True)
        variance = self.variance - np.square(explained).sum(0)
        return covariances.T @ self.solved, np.sqrt(variance.clip(_LEAST))


def posterior(covariances: Floats, noise: Floats, targets: Floats) -> Posterior:
    """Return what is known after some networks were scored.

    Args:
        covariances: ``[known, known]``, of equal variances on the diagonal; they are projected.
        noise: ``[known]`` variances of the targets.
        targets: ``[known]``.
    """
    from scipy.linalg import cho_solve  # noqa: PLC0415 - slow to load

    projected, _, _ = _projected(covariances)
    factor = np.linalg.cholesky(projected + np.diag(noise + _LEAST)).astype(float)
    solved = cho_solve((factor, True), targets)
    return Posterior(factor, solved, float(covariances[0, 0]))


def believing(
    covariances: Floats, noise: Floats, targets: Floats, noise_of_others: float
) -> Posterior:
    """Return what is known if networks that still train turn out as expected.

    Args:
        covariances: ``[known + training, known + training]``.
        noise: ``[known]`` variances of the targets.
        targets: ``[known]``.
        noise_of_others: The variance of the others' targets.
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
    """Return by how much each network is expected to fall below ``best``."""
    from scipy.special import ndtr  # noqa: PLC0415 - slow to load

    below = (best - mean) / deviation
    density = np.exp(-np.square(below) / 2) / math.sqrt(2 * math.pi)
    expected: Floats = deviation * (below * ndtr(below) + density)
    return expected


def fit(apart: Distances, targets: Floats, counts: Floats) -> Kernel:
    """Return the kernel under which scores are most likely.

    Args:
        apart: ``[prices, networks, networks]`` each.
        targets: ``[networks]``, about standardised.
        counts: ``[networks]`` of how many trainings each target is the mean.
    """
    from scipy.optimize import minimize  # noqa: PLC0415 - slow to load

    start = _centre(apart)

    def loss(parameters: Floats) -> tuple[float, Floats]:
        kernel = _kernel(start * np.exp(parameters))
        value, slopes = negative_log_likelihood(kernel, apart, targets, counts)
        away = parameters / _SPREAD**2
        return value + float(parameters @ away) / 2, slopes + away

    # A step of the line search may lead anywhere: out of bounds the kernel would overflow.
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
    """Return it, up to a constant, and its gradient by the logarithms of the parameters.

    Returns:
        The gradient in the order: noise, amplitudes, weights of lp, weights of emd.
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
    """Return the nearest positive semi-definite matrix, and the eigensystem it was found by.

    The kernel is not positive definite by its construction.
    """
    values, vectors = np.linalg.eigh(covariances)
    return (vectors * values.clip(0)) @ vectors.T, values, vectors


def _quotients(values: Floats) -> Floats:
    """Return the divided differences of the projection, by which it passes a gradient on."""
    apart = np.subtract.outer(values, values)
    alike = np.abs(apart) < _LEAST
    kept = np.subtract.outer(values.clip(0), values.clip(0))
    quotients: Floats = np.where(alike, values > 0, kept / np.where(alike, 1, apart))
    return quotients


def _centre(apart: Distances) -> Floats:
    """Return where the priors have their median: noise, amplitudes, weights."""
    middles = []
    for exponent in _exponents(apart):
        for distances in exponent:
            apart_at_all = distances[distances > 0]
            middle = np.median(apart_at_all) if apart_at_all.size else 1.0
            middles.append(1 / (len(exponent) * middle))
    return np.array([_NOISE, _AMPLITUDE, _AMPLITUDE, *middles])


def _kernel(parameters: Floats) -> Kernel:
    return Kernel(parameters[1:3], parameters[3:].reshape(2, -1), float(parameters[0]))
