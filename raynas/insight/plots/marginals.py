"""The scores by the values of the most important decisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from raynas.insight.importance import most_important
from raynas.insight.plots import style, values
from raynas.space import Choice, Decision, Value
from raynas.trial import History, Trial

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SHOWN: Final = 6
_ROOM: Final = 36  # characters of all values that fit beside each other
_BOX: Final = 5  # with fewer trials, a box would say more than there is


def marginals(history: History, decisions: Mapping[str, Decision]) -> Figure:
    """Draw the scores by value, one panel for each of the six most important decisions.

    A box covers the middle half of the scores, its line is their median; the number of trials
    is written below each value. Trials that were stopped early are grey and not in the boxes. A
    decision that is not active in a trial has no score from it. The other decisions differ from
    dot to dot, as the search chose them, so a difference need not be an effect.

    Args:
        history: All events of the run.
        decisions: The decisions of the space.
    """
    trials = style.scored(history)
    if not trials:
        return style.nothing("There are no scores to compare: no trial has ended with a score.")
    chosen = most_important(history, decisions, _SHOWN)
    if not chosen:
        return style.nothing("There is nothing to compare: all networks have the same values.")
    columns = min(3, len(chosen))
    rows = -(-len(chosen) // columns)
    made = style.figure(height=2.9 * rows, width=max(style.WIDTH, 3.4 * columns))
    grid = made.subplots(rows, columns, squeeze=False, sharey=True)
    objective = history.objectives[0]
    for axes, decision in zip(grid.ravel(), chosen, strict=False):
        _draw(axes, decision, trials, objective.metric)
    for axes in grid.ravel()[len(chosen) :]:
        axes.set_axis_off()
    for axes in grid[:, 0]:
        axes.set_ylabel(objective.metric)
    style.metric_axis(grid[0, 0].yaxis, objective.metric)
    longest = max(trial.epoch for trial in trials)
    long = [trial.metrics[objective.metric] for trial in trials if trial.epoch == longest]
    style.score_limits(grid[0, 0], long, highest=objective.direction == "max")
    low, high = grid[0, 0].get_ylim()
    outside = sum(not low <= trial.metrics[objective.metric] <= high for trial in trials)
    if outside:
        made.supxlabel(f"{outside} of {len(trials)} trials are outside of the picture", fontsize=8)
    return made


def _draw(axes: Axes, decision: Decision, trials: Sequence[Trial], metric: str) -> None:
    path = decision.path
    longest = max(trial.epoch for trial in trials)
    active = [trial for trial in trials if path in trial.architecture]
    listed = values.options(decision)
    if listed is None:
        place = {trial.number: values.number(trial, decision) for trial in active}
        domain = decision.domain
        if not isinstance(domain, Choice) and domain.log:
            axes.set_xscale("log")
    else:
        place = _jittered(active, path, listed)
        _boxes(axes, [one for one in active if one.epoch == longest], (path, metric), listed)
        counts = [sum(one.architecture[path] == value for one in active) for value in listed]
        labels = [f"{values.name(v)}\n{n}" for v, n in zip(listed, counts, strict=True)]
        long = max(map(len, labels)) * len(labels) > _ROOM
        axes.set_xticks(range(len(listed)), labels, rotation=90 if long else 0, fontsize=8)
    for to_the_end, colour in ((False, style.GREY), (True, style.BLUE)):
        some = [one for one in active if (one.epoch == longest) == to_the_end]
        x, y = [place[one.number] for one in some], [one.metrics[metric] for one in some]
        axes.scatter(x, y, s=9, color=colour, alpha=0.5, linewidths=0)
    style.dress(axes, "", "", path)
    if len(active) < len(trials):
        axes.set_xlabel(f"active in {len(active)} of {len(trials)} trials", fontsize=8)


def _jittered(trials: Sequence[Trial], path: str, listed: Sequence[Value]) -> dict[int, float]:
    """Return the place of each dot, beside its value, so that dots do not hide each other."""
    places = {value: place for place, value in enumerate(listed)}
    shifts = values.spread(len(trials))
    return {
        one.number: places[one.architecture[path]] + 0.5 * shift
        for one, shift in zip(trials, shifts, strict=True)
    }


def _boxes(
    axes: Axes, trials: Sequence[Trial], names: tuple[str, str], listed: Sequence[Value]
) -> None:
    path, metric = names
    for place, value in enumerate(listed):
        scores = [one.metrics[metric] for one in trials if one.architecture[path] == value]
        if len(scores) >= _BOX:
            low, middle, high = np.quantile(scores, [0.25, 0.5, 0.75])
            axes.bar(place, high - low, 0.7, low, color=style.SKY, alpha=0.3, zorder=0)
            axes.hlines(middle, place - 0.35, place + 0.35, color=style.ORANGE, linewidth=1.5)
