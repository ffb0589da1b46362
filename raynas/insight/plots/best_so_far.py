"""The best score so far, over trials, epochs or seconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from raynas.insight.plots import style
from raynas.insight.plots.clock import elapsed
from raynas.trial import History, Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure

By = Literal["trials", "epochs", "seconds"]
_LABELS: Final[Mapping[By, str]] = MappingProxyType(
    {
        "trials": "trials that were trained",
        "epochs": "epochs, of all trials together",
        "seconds": "seconds of search",
    }
)


def best_so_far(history: History, by: By = "trials") -> Figure:
    """Draw the score of each trial when it ended, and the best score so far as a line.

    As in the leaderboard, longer training counts first: a score after three epochs does not beat
    a score after thirty. So the line can fall while no trial has been trained to the end.

    Args:
        history: All events of the run.
        by: What the horizontal axis counts: trials in the order they ended, epochs of all trials
            by then, or seconds in which processes worked on the search.
    """
    trials = sorted(style.scored(history), key=_end)
    if not trials:
        return style.nothing("There is no best score yet: no trial has ended with a score.")
    objective = history.objectives[0]
    places = _places(history, trials, by)
    scores = [trial.metrics[objective.metric] for trial in trials]
    made = style.figure()
    axes = made.subplots()
    full = max(trial.epoch for trial in trials)
    for to_the_end, colour, name in ((False, style.GREY, "stopped early"), (True, style.SKY, "")):
        shown = [(trial.epoch == full) == to_the_end for trial in trials]
        if any(shown):
            dots = np.array([places, scores])[:, shown]
            axes.scatter(dots[0], dots[1], s=14, color=colour, alpha=0.6, label=name or "trial")
    steps = _steps(trials, places, scores)
    axes.step(*steps, where="post", color=style.BLUE, linewidth=2, label="best so far")
    style.dress(axes, _LABELS[by], objective.metric)
    style.metric_axis(axes.yaxis, objective.metric)
    long = [score for score, trial in zip(scores, trials, strict=True) if trial.epoch == full]
    style.score_limits(axes, long, highest=objective.direction == "max")
    style.say_outside(axes, scores)
    style.explain(made, axes)
    return made


def regret_so_far(history: History, by: By = "trials") -> Figure:
    """Draw how far the best score so far is from the best one that there can be.

    Args:
        history: All events of a run in which that is known.
        by: As for ``best_so_far``.
    """
    trials = sorted(style.scored(history), key=_end)
    if not trials or history.best_known is None:
        return style.nothing("There is no regret: no trial has a score, or the best is not known.")
    metric = history.objectives[0].metric
    scores = [trial.metrics[metric] for trial in trials]
    x, y = _steps(trials, _places(history, trials, by), scores)
    made = style.figure()
    axes = made.subplots()
    axes.step(x, [history.regret(one) or 0.0 for one in y], where="post", color=style.BLUE)
    axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
    style.dress(axes, _LABELS[by], f"regret, in {metric}")
    style.metric_axis(axes.yaxis, metric)
    return made


def _end(trial: Trial) -> float:
    return trial.outcome.at if trial.outcome else 0.0


def _places(history: History, trials: Sequence[Trial], by: By) -> list[float]:
    """Return where each trial is on the horizontal axis."""
    if by == "trials":
        return [float(place) for place in range(1, len(trials) + 1)]
    if by == "seconds":
        return [elapsed(history, _end(trial)) for trial in trials]
    trained = (trial for trial in history.trials.values() if trial.trained)
    times = np.sort([report.at for trial in trained for report in trial.reports])
    return [float(np.searchsorted(times, _end(trial), side="right")) for trial in trials]


def _steps(
    trials: Sequence[Trial], places: Sequence[float], scores: Sequence[float]
) -> tuple[list[float], list[float]]:
    """Return the corners of the line of the best score so far."""
    x, y = [], []
    best: Trial | None = None
    for trial, place, score in zip(trials, places, scores, strict=True):
        if best is None or trial.rank < best.rank:
            best = trial
            x.append(place)
            y.append(score)
    return [*x, places[-1]], [*y, y[-1]]
