"""The surrogate: a Gaussian process fitted to a history."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from operator import is_
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from raynas.searchers.gp.feasibility import (
    Every,
    Feasibility,
    Feasible,
    Keeping,
    always_feasible,
)
from raynas.searchers.gp.kernel import Points
from raynas.searchers.gp.layout import Floats
from raynas.searchers.gp.model import Posterior, Prior, Target, condition, target
from raynas.searchers.gp.observations import (
    Observation,
    due,
    intermediate,
    limited,
    observe,
    outcomes,
    points,
    representative,
    sample,
)
from raynas.searchers.gp.rows import Rows
from raynas.searchers.selection import rank
from raynas.space import Architecture
from raynas.trial import History, Trial

_FITTED: Final = 160  # the most trainings to which the parameters are fitted
_HEEDED: Final = 1000  # the most trainings from which the model predicts


@dataclass(frozen=True, slots=True, eq=False)
class FittedSurrogate:
    """The fitted model, and the trained networks, sorted by their predictions, the best first.

    If there are very many trainings, only a sample of them is used.

    Attributes:
        trials: The best trial of each network: the longest one, then the one with the least loss.
            Those that keep the constraints come first.
        known: These networks, fully trained, as inputs of the kernel.
        posterior: Predicts the objective of networks.
        row: Returns the row of an architecture.
        feasible: Returns the probability that networks can be trained; always 1 except for the
            first objective.
        target: How losses were transformed.
    """

    trials: tuple[Trial, ...]
    known: Points
    posterior: Posterior
    row: Callable[[Architecture], Floats]
    target: Target
    feasible: Feasible = always_feasible

    @property
    def kept(self) -> int:
        """How many of the networks keep the constraints; all, if none does."""
        return sum(not trial.violation for trial in self.trials) or len(self.trials)

    def untried(self, networks: Sequence[Architecture]) -> Points:
        """Return different untried networks, fully trained, as inputs of the kernel."""
        if not networks:
            return self.known.take(np.array([], int))
        rows, numbers = np.stack([*map(self.row, networks)]), -1 - np.arange(len(networks))
        return Points(rows, numbers, np.zeros(len(networks)))


class Surrogate:
    """Fits the model of one objective; it keeps the latest parameters as a cache."""

    def __init__(self, rows: Rows, objective: int = 0) -> None:
        """Begin without parameters.

        Args:
            rows: Computes the rows of architectures.
            objective: The index of the objective; after the objectives, of a constraint's metric.
        """
        self._rows = rows
        self._objective = objective
        self._learnt: tuple[Sequence[Trial], int] = ((), 0)
        self._fitted: tuple[Prior, Floats] | None = None
        self._feasibility_fitted = lru_cache(2)(self._fit)
        self._limits: dict[int, Surrogate] = {}

    def __reduce__(self) -> Any:
        """Pickle without the fitted parameters; they are fitted again."""
        return Surrogate, (self._rows, self._objective)

    def fit(self, history: History, full: int) -> FittedSurrogate:
        """Return the surrogate fitted to a history.

        Args:
            history: All trials so far, at least one of them trained; running trials count too.
            full: The epochs of a full training.
        """
        trained = [trial for trial in history.finished if trial.trained]
        seen = observe(history, trained, full, self._objective)
        # The second objective is fitted one trial later than the first, and so on. So after the
        # first two dozen trials a proposal waits for one fit only.
        learnt = trained[: due(seen[: max(1, len(seen) - self._objective)])]
        prior, theta = self._parameters(learnt, full, history)
        everything = seen + intermediate(history, trained, full, self._objective)
        chosen = sample(everything, _HEEDED)
        heeded = points([everything[at] for at in chosen], self._rows.of)
        targets = target(np.array([everything[at].gap for at in chosen]), theta[-1])
        z = targets.z
        noise = float(np.exp(theta[-2]))
        posterior = condition(prior.kernel(theta), noise, heeded, z, self._running(history, full))
        last = [trained[at] for at in chosen if at < len(seen)]
        surrogate = self._sorted(last, heeded.take(np.arange(len(last))), posterior, targets)
        feasible = always_feasible
        if not self._objective:  # of several processes the first one says it
            feasible = Every((self._feasibility(history), *self._kept(history, full)))
        return replace(surrogate, feasible=feasible)

    def _kept(self, history: History, full: int) -> Iterator[Feasible]:
        """Yield the probability to keep each constraint that training shows to be broken."""
        objectives = len(history.objectives)
        for at, constraint in enumerate(history.constraints, start=objectives):
            trained = [trial for trial in history.finished if trial.trained]
            if not any(constraint.excess(trial.metrics) for trial in trained):
                continue
            of = self._limits.setdefault(at, Surrogate(self._rows, at))
            fitted = of.fit(history, full)
            metric, goal = constraint.metric, limited(history, at)
            longest = max(trial.epoch for trial in trained)
            losses = [goal.loss(trial.metrics) for trial in trained if trial.epoch == longest]
            gap = goal.loss({metric: constraint.limit}) - min(losses)
            yield Keeping(fitted.posterior, fitted.target.z_of(gap))

    def _feasibility(self, history: History) -> Feasible:
        """Return the model of the probability that networks can be trained.

        It has the same kernel, with parameters fitted to the outcomes.
        """
        if not any(trial.infeasible for trial in history.failed):
            return always_feasible
        seen = outcomes(history)
        prior, theta = self._feasibility_fitted(seen[: due(seen)])
        heeded = seen[-_HEEDED:]
        gaps = np.array([one.gap for one in heeded])
        z = target(gaps, theta[-1]).z
        if not 0 < gaps.mean() < 1:
            return always_feasible
        posterior = condition(
            prior.kernel(theta), float(np.exp(theta[-2])), points(heeded, self._rows.of), z
        )
        failed, succeeded = float(z[gaps > 0][0]), float(z[gaps == 0][0])
        return Feasibility(posterior, failed, succeeded)

    def _parameters(
        self, learnt: Sequence[Trial], full: int, history: History
    ) -> tuple[Prior, Floats]:
        """Return the parameters fitted to these trials; the latest ones are cached."""
        before, full_before = self._learnt
        same = len(before) == len(learnt) and all(map(is_, before, learnt))
        if self._fitted is None or not same or full != full_before:
            self._fitted = self._fit(
                observe(history, learnt, full, self._objective)
                + intermediate(history, learnt, full, self._objective)
            )
            self._learnt = learnt, full
        return self._fitted

    def _fit(self, seen: tuple[Observation, ...]) -> tuple[Prior, Floats]:
        learnt = [seen[at] for at in sample(seen, _FITTED)]
        lengths = {one.low for one in learnt}
        prior = Prior.of(self._rows.layout, several=len(lengths) > 1)
        gaps = np.array([one.gap for one in learnt])
        return prior, prior.fit(points(learnt, self._rows.of), gaps)

    def _running(self, history: History, full: int) -> Points | None:
        running = []
        for trial in history.running:
            first = representative(history, trial)
            low = max(0.0, 1.0 - trial.started.epochs / full)
            running.append(Observation(first.architecture, first.number, low, 0.0))
        return points(running, self._rows.of) if running else None

    def _sorted(
        self,
        trained: Sequence[Trial],
        all_points: Points,
        posterior: Posterior,
        targets: Target,
    ) -> FittedSurrogate:
        """Return the fitted surrogate, with each network once."""
        chosen: dict[int, int] = {}
        for at, network in enumerate(all_points.network.tolist()):
            if network not in chosen or rank(trained[at]) < rank(trained[chosen[network]]):
                chosen[network] = at
        rows = np.array([*chosen.values()])
        known = all_points.take(rows).at(0.0)
        broken = [trained[row].violation > 0 for row in rows.tolist()]
        order: NDArray[np.intp] = np.lexsort((-posterior.mean(known).round(9), broken))
        trials = tuple(trained[row] for row in rows[order].tolist())
        return FittedSurrogate(trials, known.take(order), posterior, self._rows.of, targets)
