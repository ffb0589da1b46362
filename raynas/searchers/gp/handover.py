"""Recommend a trained network: the one that is expected to have the best score on new data.

The recorded score of training ``j`` of network ``i`` is ``y_ij = w_i + s_i + e_ij``:

- ``w_i`` is the network's true score on new data. Its prior is a Gaussian process with the
  surrogate's kernel (similar networks have similar scores) plus a variance of each network.
- ``s_i`` is the sampling error of the validation examples. All networks are validated on the same
  examples, so the error that they have in common changes no order. Reports state a sampling
  variance (``p (1 - p) / n`` for an accuracy); only the part of it in which networks differ
  counts.
- ``e_ij`` is the noise of training. Repeated trainings of one network show how large it is.

This is the model of Fay & Herriot (1979) for small areas, with a Gaussian process instead of
their regression. The variances are fitted to the better networks by restricted maximum likelihood
(Patterson & Thompson, 1971) with weak priors. They determine a network's expected score: if there
are many validation examples, and repeated trainings agree, it is the mean of the network's
scores; otherwise it moves towards the scores of similar networks.

The part of the stated variance in which networks differ is not observed. Its prior has the median
0.1, which is its value for NAS-Bench-201 with ImageNet16-120, measured by the differences between
validation and test accuracy of single cells.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from raynas import pareto
from raynas.searchers.gp.acquisition import best_of, expected_improvement
from raynas.searchers.gp.kernel import Kernel, Points
from raynas.searchers.gp.layout import Floats
from raynas.searchers.gp.surrogate import FittedSurrogate
from raynas.searchers.recommendation import Estimate, Recommendation
from raynas.searchers.training_set import deviation
from raynas.trial import Finished, History, Trial

_SHARE: Final = 2 / 3  # the variances are fitted to this fraction of the networks, the better ones
_COUNTED: Final = frozenset({"params", "flops"})  # metrics without noise
_LEAST: Final = 10  # fit to at least as many networks, if there are as many
_MOST: Final = 200  # fit to at most as many networks
_PRIOR: Final = np.array([0.0, -1.0, -2.5, math.log(0.1)])
"""Prior means of four logarithms: the variance of the smooth part, of each single network and of
one training, as multiples of the variance of the scores; and the part of the stated variance."""
_DEVIATION: Final = np.array([1.5, 1.0, 1.5, 0.5])  # the prior's standard deviations
_BOUND: Final = 6.0  # the fit stays within as many deviations of the prior's mean
_DIGITS: Final = 3  # decimals of the logarithms; the number of BLAS threads changes later ones
_JITTER: Final = 1e-8


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Scores of networks, standardised; higher is better.

    Attributes:
        mean: ``[networks]``: the mean score of the network's trainings.
        count: ``[networks]``: the number of the network's trainings.
        stated: ``[networks]``: the reported variance by the sampling of validation examples.
        within: The sum of the squared deviations of trainings from the mean of their network.
        centre: The mean loss of all networks, which standardisation subtracts.
        scale: The standard deviation of the losses, by which standardisation divides.
    """

    mean: Floats
    count: Floats
    stated: Floats
    within: float
    centre: float
    scale: float

    @classmethod
    def of(cls, history: History, trainings: Sequence[Sequence[Trial]], objective: int) -> Scores:
        """Return the scores.

        Args:
            history: All trials so far.
            trainings: The trainings of each network, at least one.
            objective: The index of the objective.
        """
        losses = [np.array([one.losses[objective] for one in of_one]) for of_one in trainings]
        metric = history.objectives[objective].metric
        stated = [np.mean([_error(one, metric) ** 2 for one in of_one]) for of_one in trainings]
        means = np.array([of_one.mean() for of_one in losses])
        centre, scale = float(means.mean()), deviation(means)
        within = sum(float(((one - one.mean()) ** 2).sum()) for one in losses)
        return cls(
            (centre - means) / scale,
            np.array([float(len(of_one)) for of_one in losses]),
            np.array(stated) / scale**2,
            within / scale**2,
            centre,
            scale,
        )

    def loss(self, theta: Floats, alike: Floats) -> tuple[float, Floats]:
        """Return minus the log posterior density of ``theta``, up to a constant, and its gradient.

        Args:
            theta: ``[4]``: the logarithms of the variances, as in ``_PRIOR``.
            alike: ``[networks, networks]``: the correlations of the smooth part.
        """
        variances, diagonals = np.exp(theta), self.diagonals
        inverse, weight, residual = self._solved(variances, alike)
        alpha = inverse @ residual
        spare, noise = float((self.count - 1).sum()), variances[2]
        outer = 0.5 * (inverse - np.outer(weight, weight) / weight.sum() - np.outer(alpha, alpha))
        gradient = variances * np.append((outer * alike).sum(), diagonals @ np.diag(outer))
        gradient[2] += 0.5 * (spare - self.within / noise)
        pull = (theta - _PRIOR) / _DEVIATION
        loss = 0.5 * (residual @ alpha + math.log(weight.sum()) + pull @ pull)
        loss -= 0.5 * np.linalg.slogdet(inverse)[1]
        loss += 0.5 * (spare * theta[2] + self.within / noise)
        return float(loss), gradient + pull / _DEVIATION

    @property
    def diagonals(self) -> Floats:
        """``[3, networks]``: each network's factors of the last three variances."""
        return np.stack([np.ones(len(self.mean)), 1.0 / self.count, self.stated])

    def expected(self, alike: Floats) -> Expectation:
        """Fit the variances and return the expected scores of the networks.

        Args:
            alike: ``[networks, networks]``: the correlations of the smooth part.
        """
        from scipy.optimize import minimize  # noqa: PLC0415 - slow to load

        bounds = np.stack([_PRIOR - _BOUND * _DEVIATION, _PRIOR + _BOUND * _DEVIATION], axis=1)
        found = minimize(self.loss, _PRIOR, (alike,), jac=True, method="L-BFGS-B", bounds=bounds)
        variances = np.exp(np.round(found.x, _DIGITS))
        inverse, weight, residual = self._solved(variances, alike)
        worth = variances[0] * alike + variances[1] * np.eye(len(alike))
        score = worth + variances[3] * np.diag(self.stated)
        mean = weight @ self.mean / weight.sum() + worth @ (inverse @ residual)
        left = worth - worth @ inverse @ worth
        shown = worth - worth @ inverse @ score
        next_one = np.diag(score - score @ inverse @ score) + variances[2] + _JITTER
        return Expectation(
            mean, np.sqrt(np.maximum(np.diag(left), 0.0)), shown / np.sqrt(next_one)
        )

    def _solved(self, variances: Floats, alike: Floats) -> tuple[Floats, Floats, Floats]:
        """Return the inverse covariance, its row sums, and the scores minus their mean."""
        covariance = variances[0] * alike + np.diag(variances[1:] @ self.diagonals + _JITTER)
        inverse = np.linalg.inv(covariance)
        weight = inverse.sum(1)
        return inverse, weight, self.mean - weight @ self.mean / weight.sum()


@dataclass(frozen=True, slots=True, eq=False)
class Expectation:
    """The expected scores of networks on new data, standardised; higher is better.

    Attributes:
        mean: ``[networks]``: the expected score.
        error: ``[networks]``: its standard error.
        shift: ``[networks, networks]``: the change of the mean of the network in the row, if one
            more training of the network in the column scores one standard deviation higher than
            expected.
    """

    mean: Floats
    error: Floats
    shift: Floats

    def of_repeats(self) -> Floats:
        """Return ``[networks]``: the knowledge gradient of one more training of each network.

        It is the expected increase of the best mean (Frazier et al., 2009). Differs from the
        paper: only the network itself and the best other network may become the best.
        """
        if len(self.mean) < 2:
            return np.zeros(len(self.mean))
        best, second = np.argsort(-self.mean, kind="stable")[:2]
        rival = np.full(len(self.mean), best)
        rival[best] = second
        own = np.arange(len(self.mean))
        spread = np.abs(self.shift[own, own] - self.shift[rival, own])
        behind = -np.abs(self.mean - self.mean[rival])
        return expected_improvement(behind, np.maximum(spread, _JITTER))


def handed_over(history: History, fitted: FittedSurrogate) -> Recommendation:
    """Return the recommended trial for one objective, to which the surrogate was fitted.

    Only the ``contenders`` can be recommended.
    """
    rows = better(fitted)
    trials = [fitted.trials[row] for row in rows]
    loss, error = _as_losses(*expected(history, fitted, rows))
    chosen = trials[best_of(-loss)]
    return Recommendation(chosen, _estimates(trials, loss, error))


def handed_over_front(history: History, fitted: Sequence[FittedSurrogate]) -> Recommendation:
    """Return the recommended trial for several objectives, and the expected Pareto front.

    The recommended trial is the best by the first objective; if trials are equal, by the next
    objective. Metrics without noise, such as the number of parameters, are not estimated.

    Args:
        history: All trials so far.
        fitted: A surrogate for each objective.
    """
    rows = [{one.identity: row for row, one in enumerate(each.trials)} for each in fitted]
    known = [one for one in fitted[0].trials if all(one.identity in of_one for of_one in rows)]
    trials = [known[at] for at in contenders(known)]
    measured = np.array([one.losses for one in trials])
    order = np.argsort(pareto.dominance(measured).sum(0), kind="stable")
    order = order[: min(_MOST, max(_LEAST, math.ceil(_SHARE * len(trials))))]
    trials = [trials[at] for at in order]
    found = [(losses, np.zeros(len(order))) for losses in measured[order].T]
    for at, (each, of_one) in enumerate(zip(fitted, rows, strict=True)):
        if history.objectives[at].metric not in _COUNTED:
            places = [of_one[one.identity] for one in trials]
            found[at] = _as_losses(*expected(history, each, places, at))
    losses = np.stack([loss for loss, _ in found], axis=1)
    chosen = trials[min(range(len(trials)), key=lambda at: (*losses[at], at))]
    best = np.flatnonzero(~pareto.dominance(losses).any(0)).tolist()
    front = tuple(sorted(trials[at].number for at in best))
    return Recommendation(chosen, _estimates(trials, *found[0]), front)


def _estimates(trials: Sequence[Trial], loss: Floats, error: Floats) -> dict[int, Estimate]:
    pairs = zip(trials, loss.tolist(), error.tolist(), strict=True)
    return {one.number: Estimate(*pair) for one, *pair in pairs}


def contenders(trials: Sequence[Trial]) -> list[int]:
    """Return the indices of the trials that may be recommended, at least one.

    These are the trials that were not stopped early (if there are any) and that were trained for
    the most epochs, with finite losses, and that keep the constraints (if there are any).
    """
    ended = [at for at, one in enumerate(trials) if not one.stopped] or [*range(len(trials))]
    longest = max(trials[at].epoch for at in ended)
    ended = [at for at in ended if trials[at].epoch == longest]
    ended = [at for at in ended if np.isfinite(trials[at].losses).all()] or ended[:1]
    return [at for at in ended if not trials[at].violation] or ended


def better(fitted: FittedSurrogate) -> list[int]:
    """Return the indices of the networks to choose from: the better contenders."""
    rows = contenders(fitted.trials)
    return rows[: min(_MOST, max(_LEAST, math.ceil(_SHARE * len(rows))))]


def expected(
    history: History, fitted: FittedSurrogate, rows: Sequence[int], objective: int = 0
) -> tuple[Scores, Expectation]:
    """Return the scores of networks, and their expected scores on new data.

    Args:
        history: All trials so far.
        fitted: The surrogate, fitted to the objective.
        rows: The indices of the networks in ``fitted``, at least one.
        objective: The index of the objective.
    """
    trainings = [_trainings(history, fitted.trials[row], objective) for row in rows]
    scores = Scores.of(history, trainings, objective)
    alike = _correlations(fitted.posterior.kernel, fitted.known.take(np.array(rows)))
    return scores, scores.expected(alike)


def _as_losses(scores: Scores, worth: Expectation) -> tuple[Floats, Floats]:
    """Return the expected losses and their standard errors, ``[networks]`` each."""
    return scores.centre - scores.scale * worth.mean, scores.scale * worth.error


def _trainings(history: History, trial: Trial, objective: int) -> list[Trial]:
    """Return all trainings of a trial's network that ended at the same epoch."""
    return [
        one
        for one in history.same(trial.identity)
        if isinstance(one.outcome, Finished) and one.trained and one.epoch == trial.epoch
        if one.stopped == trial.stopped and math.isfinite(one.losses[objective])
    ] or [trial]


def _error(trial: Trial, metric: str) -> float:
    """Return the standard error in a trial's last report; 0 if the report has none."""
    return trial.reports[-1].errors.get(metric, 0.0)


def _correlations(kernel: Kernel, points: Points) -> Floats:
    """Return ``[points, points]``: the kernel's smooth part, scaled to a mean variance of 1."""
    alike = sum(kernel.parts(points, points), start=np.zeros((len(points), len(points))))
    spread = float(np.mean(np.diag(alike) - alike.mean()))
    return alike / spread if spread > _JITTER else np.eye(len(points))
