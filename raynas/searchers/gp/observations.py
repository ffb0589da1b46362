"""A history as what the model learns from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from raynas.searchers.gp.kernel import Points
from raynas.searchers.gp.layout import Floats
from raynas.space import Architecture
from raynas.trial import Failed, History, Trial

_RUNGS: Final = 4


@dataclass(frozen=True, slots=True)
class Observation:
    """What one training says.

    Attributes:
        architecture: The architecture that stands for the network: the first of its identity.
        network: The number of the first trial of that identity.
        low: The share of full training it lacks, 0 to 1.
        gap: How much more its loss is than the least of all trained as long, by the objective that
            is looked at; at least 0.
    """

    architecture: Architecture
    network: int
    low: float
    gap: float


def observe(
    history: History, trials: Sequence[Trial], full: int, objective: int = 0
) -> tuple[Observation, ...]:
    """Return what these trials say of an objective; they were trained, and are in the history.

    A trial that was stopped early is compared with what all others had reached by then.
    """
    best: dict[int, float] = {}
    for epoch in {trial.epoch for trial in trials}:
        reached = [trial for trial in trials if trial.epoch >= epoch]
        losses = [_loss(history, trial, epoch, objective) for trial in reached]
        best[epoch] = float(np.min(losses))
    gaps = np.array([trial.losses[objective] - best[trial.epoch] for trial in trials])
    gaps[~np.isfinite(gaps)] = gaps[np.isfinite(gaps)].max(initial=1.0)  # as bad as the worst
    seen = []
    for trial, gap in zip(trials, gaps.tolist(), strict=True):
        first = representative(history, trial)
        lacks = max(0.0, 1.0 - trial.epoch / full)
        seen.append(Observation(first.architecture, first.number, lacks, gap))
    return tuple(seen)


def intermediate(
    history: History, trials: Sequence[Trial], full: int, objective: int = 0
) -> tuple[Observation, ...]:
    """Return what those of these trials that went on had shown where others were stopped.

    Without it the shortest trainings would be known of the worst networks only, and nothing would
    tell how far a short training can be trusted. Where those that were stopped are not the worse
    ones, they were stopped for another reason than the loss, and nothing is compared. Some
    schedulers stop after any epoch; those after which most were stopped are enough.
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
    """Return of each network whether it failed (a gap of one) or not (of none).

    Other failures, and what is known from an earlier trial only, say nothing.
    """
    seen: dict[int, Observation] = {}
    for trial in history.trials.values():
        if trial.outcome is None or not trial.trained:
            continue
        if isinstance(trial.outcome, Failed) and not trial.infeasible:
            continue
        first, gap = representative(history, trial), float(trial.infeasible)
        seen[first.number] = Observation(first.architecture, first.number, 0.0, gap)
    return tuple(seen.values())


def representative(history: History, trial: Trial) -> Trial:
    """Return the first trial of the same network."""
    return history.first(trial.identity)


def _loss(history: History, trial: Trial, epoch: int, objective: int) -> float:
    """Return a trial's loss after an epoch; infinite if it did not report then."""
    if trial.epoch == epoch:
        return trial.losses[objective]
    of = history.objectives[objective]
    value = trial.reports.value_after(epoch, of.metric)
    return np.inf if value is None else of.loss({of.metric: value})


def points(observations: Sequence[Observation], row: Callable[[Architecture], Floats]) -> Points:
    """Return the observations, at least one, as the kernel compares them."""
    return Points(
        np.stack([row(one.architecture) for one in observations]),
        np.array([one.network for one in observations]),
        np.array([one.low for one in observations]),
    )


def sample(observations: Sequence[Observation], most: int) -> list[int]:
    """Return which to learn from: half of them the best, the others spread evenly in time."""
    n = len(observations)
    if n <= most:
        return list(range(n))
    best = np.argsort([one.gap for one in observations], kind="stable")[: most // 2]
    even = np.linspace(0, n - 1, most // 2).astype(int)
    return sorted({*best.tolist(), *even.tolist()})


def due(observations: Sequence[Observation]) -> int:
    """Return how many of the first observations the parameters are to be fitted to.

    All of them at first, later whenever there is a twelfth more; and where trainings differ in
    length, after every full one, of which there are few.
    """
    n = len(observations)
    step = 1 if n < 24 else max(2, n // 12)
    milestone = n - n % step
    if not any(one.low for one in observations):
        return milestone
    full = (at for at, one in enumerate(observations, start=1) if not one.low)
    return max(milestone, max(full, default=0))
