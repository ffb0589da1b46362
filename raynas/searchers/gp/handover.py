"""Which trained network to hand over: the one that is expected to be best on new data.

A recorded score of training ``j`` of network ``i`` is ``y_ij = w_i + s_i + e_ij``:

- ``w_i`` is what the network is worth on new data. Its prior is a Gaussian process with the
  surrogate's kernel (networks alike are worth about the same) plus a variance of its own.
- ``s_i`` is the sampling of the validation examples. All networks see the same ones, so what they
  have in common moves all scores alike. Of the variance that a report states (``p (1 - p) / n``
  for an accuracy) only the share in which two networks disagree counts.
- ``e_ij`` is the noise of training, which repeated trainings show.

This is the model of Fay & Herriot (1979) for small areas, with a Gaussian process in place of
their regression. The variances are fitted to the better networks by restricted maximum likelihood
(Patterson & Thompson, 1971) under weak priors, and a network's expected worth follows from them:
with many validation examples and repeats that agree it is the mean of its scores, and otherwise it
is drawn to what networks alike have reached.

The share of the stated variance is not observed. Its prior has median 0.1: on NAS-Bench-201 with
ImageNet16-120 that is what one cell's own gap between validation and test accuracy amounts to.
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

_SHARE: Final = 2 / 3  # of the networks, the better ones, to which the variances are fitted
_COUNTED: Final = frozenset({"params", "flops"})  # no noise in these: they are as measured
_LEAST: Final = 10  # networks, if there are as many
_MOST: Final = 200
_PRIOR: Final = np.array([0.0, -1.0, -2.5, math.log(0.1)])
"""Prior means of the logarithms of the variances of the smooth part, of a network's own part and
of one training, each by the variance of the scores; and of the share of the stated variance."""
_DEVIATION: Final = np.array([1.5, 1.0, 1.5, 0.5])
_BOUND: Final = 6.0  # deviations from the prior's mean, at most
_DIGITS: Final = 3  # of the logarithms; coarser than what the number of BLAS threads changes
_JITTER: Final = 1e-8


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Scores of networks, standardised; more is better.

    Attributes:
        mean: ``[networks]`` of the trainings of each.
        count: ``[networks]`` how many trainings these are.
        stated: ``[networks]`` variance by the sampling of validation examples, as reported.
        within: Sum of the squared deviations of trainings from the mean of their network.
        centre: The mean of all, as a loss.
        scale: A standard deviation, as a loss.
    """

    mean: Floats
    count: Floats
    stated: Floats
    within: float
    centre: float
    scale: float

    @classmethod
    def of(cls, history: History, trainings: Sequence[Sequence[Trial]], objective: int) -> Scores:
        """Return the scores of the trainings of each network, at least one each."""
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
        """Return minus the log posterior density of ``theta``, up to a constant; its gradient.

        Args:
            theta: Logarithms of the variances, as in ``_PRIOR``.
            alike: ``[networks, networks]`` the smooth part's correlations.
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
        """``[3, networks]`` what the other variances are multiplied by, network by network."""
        return np.stack([np.ones(len(self.mean)), 1.0 / self.count, self.stated])

    def expected(self, alike: Floats) -> Expectation:
        """Return what is expected of the networks, by fitted variances."""
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
        """Return the inverse covariance, its row sums, and scores less their weighted mean."""
        covariance = variances[0] * alike + np.diag(variances[1:] @ self.diagonals + _JITTER)
        inverse = np.linalg.inv(covariance)
        weight = inverse.sum(1)
        return inverse, weight, self.mean - weight @ self.mean / weight.sum()


@dataclass(frozen=True, slots=True, eq=False)
class Expectation:
    """What is expected of networks on new data, standardised; more is better.

    Attributes:
        mean: ``[networks]``.
        error: ``[networks]`` its standard error.
        shift: ``[networks, networks]`` by how much one more training of the network in the column
            moves the mean of the one in the row, in the mean square.
    """

    mean: Floats
    error: Floats
    shift: Floats

    def of_repeats(self) -> Floats:
        """Return ``[networks]`` the knowledge gradient of one more training of each.

        By how much the best mean is expected to rise (Frazier et al., 2009), where only the
        network itself and the best of the others may become the best.
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
    """Return what to hand over, by the one objective to which the surrogate was fitted.

    Only trials that were trained the longest, of those that were not stopped early if there are
    any, come into question.
    """
    rows = better(fitted)
    trials = [fitted.trials[row] for row in rows]
    loss, error = _as_losses(*expected(history, fitted, rows))
    chosen = trials[best_of(-loss)]
    return Recommendation(chosen, _estimates(trials, loss, error))


def handed_over_front(history: History, fitted: Sequence[FittedSurrogate]) -> Recommendation:
    """Return what to hand over by several objectives, and the Pareto front that is expected.

    The trial is the best by the first objective, of equals by the next. What is counted and not
    measured, such as parameters, is taken as it is.

    Args:
        history: What happened.
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
    """Return the places of the trials that may be handed over, at least one of them all."""
    ended = [at for at, one in enumerate(trials) if not one.stopped] or [*range(len(trials))]
    longest = max(trials[at].epoch for at in ended)
    ended = [at for at in ended if trials[at].epoch == longest]
    return [at for at in ended if np.isfinite(trials[at].losses).all()] or ended[:1]


def better(fitted: FittedSurrogate) -> list[int]:
    """Return the places of the networks among which one is chosen: the better contenders."""
    rows = contenders(fitted.trials)
    return rows[: min(_MOST, max(_LEAST, math.ceil(_SHARE * len(rows))))]


def expected(
    history: History, fitted: FittedSurrogate, rows: Sequence[int], objective: int = 0
) -> tuple[Scores, Expectation]:
    """Return the scores of networks and what is expected of them on new data.

    Args:
        history: What happened.
        fitted: To this objective.
        rows: Networks, by their places in ``fitted``, at least one.
        objective: Which of the run's.
    """
    trainings = [_trainings(history, fitted.trials[row], objective) for row in rows]
    scores = Scores.of(history, trainings, objective)
    alike = _correlations(fitted.posterior.kernel, fitted.known.take(np.array(rows)))
    return scores, scores.expected(alike)


def _as_losses(scores: Scores, worth: Expectation) -> tuple[Floats, Floats]:
    """Return ``[networks]`` the expected loss and its standard error."""
    return scores.centre - scores.scale * worth.mean, scores.scale * worth.error


def _trainings(history: History, trial: Trial, objective: int) -> list[Trial]:
    """Return all trainings of a trial's network that came as far."""
    return [
        one
        for one in history.same(trial.identity)
        if isinstance(one.outcome, Finished) and one.trained and one.epoch == trial.epoch
        if one.stopped == trial.stopped and math.isfinite(one.losses[objective])
    ] or [trial]


def _error(trial: Trial, metric: str) -> float:
    """Return the standard error that a trial's last report states; 0 if it states none."""
    return trial.reports[-1].errors.get(metric, 0.0)


def _correlations(kernel: Kernel, points: Points) -> Floats:
    """Return ``[points, points]`` the kernel's smooth part, of mean variance 1 about its mean."""
    alike = sum(kernel.parts(points, points), start=np.zeros((len(points), len(points))))
    spread = float(np.mean(np.diag(alike) - alike.mean()))
    return alike / spread if spread > _JITTER else np.eye(len(points))
