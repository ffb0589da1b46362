"""Turn a history into observations, from which the model learns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from raynas.searchers.gp.kernel import Points
from raynas.searchers.gp.layout import Floats
from raynas.space import Architecture
from raynas.trial import Failed, History, Objective, Trial

_RUNGS: Final = 4


@dataclass(frozen=True, slots=True)
class Observation:
    """The result of one training.

    Attributes:
        architecture: The architecture of the first trial with the same identity.
        network: The number of that trial.
        low: The fraction of a full training by which the training was shorter, 0 to 1.
        gap: The loss minus the lowest loss of all trials after as many epochs; at least 0.
    """

    architecture: Architecture
    network: int
    low: float
    gap: float


def observe(
    history: History, trials: Sequence[Trial], full: int, objective: int = 0
) -> tuple[Observation, ...]:
    """Return the observations of trained trials for one objective.

    A trial that was stopped early is compared with the other trials at the same epoch.

    Args:
        history: All trials so far.
        trials: The trials to observe, all of them in the history.
        full: The epochs of a full training.
        objective: The index of the objective; after the objectives, of a constraint's metric.
    """
    best: dict[int, float] = {}
    for epoch in {trial.epoch for trial in trials}:
        reached = [trial for trial in trials if trial.epoch >= epoch]
        losses = [_loss(history, trial, epoch, objective) for trial in reached]
        best[epoch] = float(np.min(losses))
    gaps = np.array(
        [_loss(history, trial, trial.epoch, objective) - best[trial.epoch] for trial in trials]
    )
    gaps[~np.isfinite(gaps)] = gaps[np.isfinite(gaps)].max(initial=1.0)  # the worst finite gap
    seen = []
    for trial, gap in zip(trials, gaps.tolist(), strict=True):
        first = representative(history, trial)
        lacks = max(0.0, 1.0 - trial.epoch / full)
        seen.append(Observation(first.architecture, first.number, lacks, gap))
    return tuple(seen)


def intermediate(
    history: History, trials: Sequence[Trial], full: int, objective: int = 0
) -> tuple[Observation, ...]:
    """Return the intermediate results of trials that continued where other trials were stopped.

    Without them the model would know the results of short trainings only of the worst networks,
    and could not learn how well short trainings predict full ones. An epoch is left out if the
    trials that were stopped there are not the worse ones, because then they were stopped for
    another reason than the loss. Some schedulers stop trials after any epoch; only the epochs
    after which most trials were stopped are used.

    Args:
        history: All trials so far.
        trials: The trials to observe, all of them in the history.
        full: The epochs of a full training.
        objective: The index of the objective; after the objectives, of a constraint's metric.
    """
    seen: list[Observation] = []
    stopped = Counter(trial.epoch for trial in trials if trial.stopped)
    for epoch, _ in stopped.most_common(_RUNGS):
        reached = [
            (trial, _loss(history, trial, epoch, objective))
            for trial in trials
            if trial.epoch >= epoch
        ]
        passed = [(trial, loss) for trial, loss in reached if trial.epoch > epoch]
        left = [loss for trial, loss in reached if trial.epoch == epoch]
        if not passed or np.median(left) <= np.median([loss for _, loss in passed]):
            continue
        best = min(loss for _, loss in reached)
        for trial, loss in passed:
            if np.isfinite(loss):
                first, lacks = representative(history, trial), max(0.0, 1.0 - epoch / full)
                seen.append(Observation(first.architecture, first.number, lacks, loss - best))
    return tuple(seen)


def outcomes(history: History) -> tuple[Observation, ...]:
    """Return one observation for each network: a gap of 1 if it is infeasible, otherwise 0.

    A network is infeasible if it failed by its own fault, or was refused. Other failures, and
    trials that were answered by earlier ones, are left out.
    """
    seen: dict[int, Observation] = {}
    for trial in history.trials.values():
        if trial.outcome is None or trial.outcome.answered_by is not None:
            continue
        if isinstance(trial.outcome, Failed) and not trial.infeasible:
            continue
        first = representative(history, trial)
        gap = float(trial.infeasible)
        seen[first.number] = Observation(first.architecture, first.number, 0.0, gap)
    return tuple(seen.values())


def representative(history: History, trial: Trial) -> Trial:
    """Return the first trial of the same network."""
    return history.first(trial.identity)


def _loss(history: History, trial: Trial, epoch: int, objective: int) -> float:
    """Return a trial's loss after an epoch; infinite if it did not report then."""
    if trial.epoch == epoch and objective < len(trial.losses):
        return trial.losses[objective]
    of = limited(history, objective)
    value = trial.reports.value_after(epoch, of.metric)
    return np.inf if value is None else of.loss({of.metric: value})


def limited(history: History, at: int) -> Objective:
    """Return an objective; after the objectives, the metric of a constraint as an objective."""
    if at < len(history.objectives):
        return history.objectives[at]
    constraint = history.constraints[at - len(history.objectives)]
    return Objective(constraint.metric, "min" if constraint.direction == "<=" else "max")


def points(observations: Sequence[Observation], row: Callable[[Architecture], Floats]) -> Points:
    """Return the observations, at least one, as inputs of the kernel."""
    return Points(
        np.stack([row(one.architecture) for one in observations]),
        np.array([one.network for one in observations]),
        np.array([one.low for one in observations]),
    )


def sample(observations: Sequence[Observation], most: int) -> list[int]:
    """Return the indices of at most ``most`` observations: the best, and some evenly in time."""
    n = len(observations)
    if n <= most:
        return list(range(n))
    best = np.argsort([one.gap for one in observations], kind="stable")[: most // 2]
    even = np.linspace(0, n - 1, most // 2).astype(int)
    return sorted({*best.tolist(), *even.tolist()})


def due(observations: Sequence[Observation]) -> int:
    """Return the number of first observations to which the parameters are fitted.

    At first these are all; later the parameters are fitted again only when the number has grown
    by a twelfth. If trainings have several lengths, the parameters are also fitted after every
    full training, because there are few of them.
    """
    n = len(observations)
    step = 1 if n < 24 else max(2, n // 12)
    milestone = n - n % step
    if not any(one.low for one in observations):
        return milestone
    full = (at for at, one in enumerate(observations, start=1) if not one.low)
    return max(milestone, max(full, default=0))
