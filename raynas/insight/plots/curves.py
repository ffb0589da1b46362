"""The learning curves of all trials; the best ones have a colour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from raynas.insight.outcome_counts import ranked, ranking_key
from raynas.insight.plots import style
from raynas.trial import History, Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BEST: Final = 5  # curves with a colour


def curves(history: History) -> Figure:
    """Draw the first objective of each trial after each epoch.

    The five best trials have a colour. A dot is the end of a trial that was stopped early.

    Args:
        history: All events of the run.
    """
    trials = [trial for trial in history.trials.values() if trial.trained and trial.reports]
    if not trials:
        return style.nothing("There is no learning curve: no trial has reported yet.")
    from matplotlib.collections import LineCollection  # noqa: PLC0415 - slow to load

    objective = history.objectives[0]
    made = style.figure()
    axes = made.subplots()
    best = sorted(filter(ranked, trials), key=ranking_key)[:_BEST]
    chosen = {trial.number for trial in best}
    points = {trial.number: _points(trial, objective.metric) for trial in trials}
    others = [points[trial.number] for trial in trials if trial.number not in chosen]
    faint = max(0.12, min(0.6, 20 / len(trials)))
    axes.add_collection(LineCollection(others, colors=style.GREY, linewidths=0.8, alpha=faint))
    ends = [points[one.number][-1] for one in trials if one.stopped and one.number not in chosen]
    if ends:
        across, up = zip(*ends, strict=True)
        axes.scatter(across, up, s=8, color=style.GREY, alpha=max(faint, 0.3))
    for trial, colour in zip(best, style.COLOURS, strict=False):
        x, y = zip(*points[trial.number], strict=True)
        name = f"trial {trial.number}"
        mark = "o" if len(x) == 1 else None
        axes.plot(x, y, color=colour, linewidth=1.8, label=name, marker=mark, zorder=3)
    style.dress(axes, "epochs", objective.metric, f"learning curves of {len(trials)} trials")
    style.whole(axes.xaxis)
    style.metric_axis(axes.yaxis, objective.metric)
    scores = [y for one in points.values() for _, y in one]
    axes.set_xlim(0.5, max(x for one in points.values() for x, _ in one) + 0.5)
    style.score_limits(axes, scores, highest=objective.direction == "max")
    style.explain(made, axes)
    return made


def _points(trial: Trial, metric: str) -> list[tuple[int, float]]:
    return [*zip(trial.reports.epochs, trial.reports.values(metric), strict=True)]
