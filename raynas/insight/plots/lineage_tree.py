"""Which trial was derived from which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from raynas.insight.outcome_counts import leading
from raynas.insight.plots import style
from raynas.trial import History, Trial

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Point = tuple[float, float]


def lineage_tree(history: History) -> Figure:
    """Draw each trial by its number and its score, with a line to the trial it was derived from.

    The ancestors of the winner (before there is one: of the best trial) have a colour. A trial
    without a parent is not derived from another one.

    Args:
        history: All events of the run.
    """
    trials = {one.number: one for one in history.trials.values() if one.losses}
    children = [one for one in trials.values() if one.started.parent in trials]
    if not children:
        return style.nothing(
            "There is no lineage: no trial with a score was derived from another one. Searchers "
            "that mutate good architectures, such as evolution, derive trials."
        )
    from matplotlib.collections import LineCollection  # noqa: PLC0415 - slow to load

    objective = history.objectives[0]
    points = {number: _point(one, objective.metric) for number, one in trials.items()}
    made = style.figure()
    axes = made.subplots()
    lines = [[points[one.started.parent or 0], points[one.number]] for one in children]
    axes.add_collection(LineCollection(lines, colors=style.GREY, linewidths=0.6, alpha=0.35))
    _draw_trials(axes, [one for one in trials.values() if one.started.parent is None], points)
    _draw_trials(axes, [one for one in trials.values() if one.started.parent is not None], points)
    _draw_ancestors(axes, history, trials, points)
    style.dress(axes, "trial", objective.metric)
    style.whole(axes.xaxis)
    style.metric_axis(axes.yaxis, objective.metric)
    scores = [y for _, y in points.values()]
    style.score_limits(axes, scores, highest=objective.direction == "max")
    style.say_outside(axes, scores)
    style.explain(made, axes)
    return made


def _draw_trials(axes: Axes, trials: Sequence[Trial], points: Mapping[int, Point]) -> None:
    if not trials:
        return
    derived = trials[0].started.parent is not None
    colour, name = (style.SKY, "derived") if derived else (style.YELLOW, "without a parent")
    x, y = zip(*(points[one.number] for one in trials), strict=True)
    axes.scatter(x, y, s=14, color=colour, label=name)


def _draw_ancestors(
    axes: Axes, history: History, trials: Mapping[int, Trial], points: Mapping[int, Point]
) -> None:
    best = leading(trials.values())
    chosen = history.winner or best
    last = chosen.number if chosen else None
    known = [points[number] for number in ancestors(history, last) if number in points]
    if known:
        name = f"ancestors of trial {last}, the {'winner' if history.winner else 'best'}"
        x, y = zip(*known, strict=True)
        axes.plot(x, y, color=style.BLUE, marker="o", markersize=4, label=name)


def ancestors(history: History, number: int | None) -> list[int]:
    """Return a trial and the trials it comes from, the latest first."""
    path: list[int] = []
    while number is not None and number in history.trials and number not in path:
        path.append(number)
        number = history.trials[number].started.parent
    return path


def _point(trial: Trial, metric: str) -> Point:
    return float(trial.number), trial.metrics[metric]
