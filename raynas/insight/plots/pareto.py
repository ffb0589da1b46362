"""The Pareto front: two objectives, or the objective and the number of parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from raynas.insight.front import front
from raynas.insight.plots import style
from raynas.trial import History, Objective, Trial

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LOG: Final = 20.0  # an axis of costs is logarithmic if its ends differ by this factor
_APART: Final = 0.06  # the least distance of two numbers, as a share of the axes


def pareto(history: History) -> Figure:
    """Draw each trial by its objectives; the trials on the front have a colour and a number.

    With one objective, the number of parameters is the second one. With more than two objectives,
    there is one panel for the first objective and each of the others. The front is that of all
    objectives together, so in a panel it need not look like one.

    Args:
        history: All events of the run.
    """
    objectives = list(history.objectives)
    if len(objectives) == 1:
        objectives.append(Objective("params", "min"))
    trials = [
        trial
        for trial in style.scored(history)
        if all(np.isfinite(trial.metrics.get(one.metric, np.nan)) for one in objectives)
    ]
    if not trials:
        return style.nothing(
            "There is nothing to compare: no trial has ended with "
            + " and ".join(one.metric for one in objectives)
            + "."
        )
    longest = max(trial.epoch for trial in trials)
    if len(history.objectives) > 1:
        chosen = {*front(history)}
    else:
        chosen = _front_of_two([one for one in trials if one.epoch == longest], objectives)
    others = objectives[1:]
    made = style.figure(height=4.2, width=max(style.WIDTH, 4.4 * len(others)))
    panels = made.subplots(1, len(others), squeeze=False)[0]
    for axes, other in zip(panels, others, strict=True):
        _draw(axes, trials, chosen, (other, objectives[0]))
    style.explain(made, panels[0])
    return made


def _front_of_two(trials: list[Trial], objectives: list[Objective]) -> set[int]:
    """Return the numbers of the trials that no other trial beats in both."""
    ordered = sorted(trials, key=lambda one: [goal.loss(one.metrics) for goal in objectives[::-1]])
    found, least = set(), np.inf
    for trial in ordered:  # by ascending cost
        if (loss := objectives[0].loss(trial.metrics)) < least:
            least = loss
            found.add(trial.number)
    return found


def _draw(
    axes: Axes, trials: list[Trial], chosen: set[int], goals: tuple[Objective, Objective]
) -> None:
    across, up = goals
    longest = max(trial.epoch for trial in trials)
    rest = [trial for trial in trials if trial.number not in chosen]
    for to_the_end, colour, name in ((False, style.GREY, "stopped early"), (True, style.SKY, "")):
        some = [trial for trial in rest if (trial.epoch == longest) == to_the_end]
        if some:
            values = np.array([[t.metrics[across.metric], t.metrics[up.metric]] for t in some])
            axes.scatter(
                values[:, 0], values[:, 1], s=16, color=colour, alpha=0.6, label=name or "trial"
            )
    best = sorted(
        (t for t in trials if t.number in chosen), key=lambda t: t.metrics[across.metric]
    )
    if best:
        values = np.array([[t.metrics[across.metric], t.metrics[up.metric]] for t in best])
        where = "steps-post" if across.direction == "min" else "steps-pre"
        axes.plot(
            values[:, 0],
            values[:, 1],
            color=style.BLUE,
            linewidth=1.2,
            marker="o",
            markersize=5,
            drawstyle=where,
            label="Pareto front",
            zorder=3,
        )
    style.dress(axes, across.metric, up.metric)
    _limit(axes, trials, goals)
    _name(axes, best, goals)


def _name(axes: Axes, best: list[Trial], goals: tuple[Objective, Objective]) -> None:
    """Write the numbers of the trials on the front, as far as they do not overlap."""
    to_axes = axes.transData + axes.transAxes.inverted()
    last: tuple[float, ...] = (-1.0, -1.0)
    for trial in best:
        place = trial.metrics[goals[0].metric], trial.metrics[goals[1].metric]
        here = tuple(to_axes.transform(place).tolist())
        if max(abs(here[0] - last[0]), abs(here[1] - last[1])) < _APART:
            continue
        last = here
        axes.annotate(
            str(trial.number), place, xytext=(3, 4), textcoords="offset points", fontsize=8
        )


def _limit(axes: Axes, trials: list[Trial], goals: tuple[Objective, Objective]) -> None:
    across, up = goals
    costs = [trial.metrics[across.metric] for trial in trials]
    if min(costs) > 0 and max(costs) > _LOG * min(costs):
        axes.set_xscale("log")
    style.metric_axis(axes.xaxis, across.metric)
    style.metric_axis(axes.yaxis, up.metric)
    longest = max(trial.epoch for trial in trials)
    long = [trial.metrics[up.metric] for trial in trials if trial.epoch == longest]
    style.score_limits(axes, long, highest=up.direction == "max")
    style.say_outside(axes, [trial.metrics[up.metric] for trial in trials])
