"""How many trials were trained how long: what a scheduler let survive."""

from __future__ import annotations

from typing import TYPE_CHECKING

from raynas.insight.plots import style
from raynas.trial import Failed, History

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def rungs(history: History) -> Figure:
    """Draw how many trials were trained for at least so many epochs, and how many ended there.

    The epochs after which the scheduler has stopped trials are marked.

    Args:
        history: All events of the run.
    """
    trials = [trial for trial in history.trials.values() if trial.trained and trial.reports]
    if not trials:
        return style.nothing("There is nothing to count: no trial has reported yet.")
    last = max(trial.epoch for trial in trials)
    reached = [sum(trial.epoch >= epoch for trial in trials) for epoch in range(1, last + 1)]
    failed = [
        sum(one.epoch >= epoch for one in trials if isinstance(one.outcome, Failed))
        for epoch in range(1, last + 1)
    ]
    made = style.figure(height=3.4)
    axes = made.subplots()
    edges = [epoch - 0.5 for epoch in range(1, last + 2)]
    axes.stairs(reached, edges, fill=True, color=style.SKY, label="trained so long")
    if any(failed):
        axes.stairs(failed, edges, fill=True, color=style.ORANGE, label="of these, failed later")
    stops = sorted({one.epoch for one in trials if one.resumable and not one.cut})
    for epoch in stops:
        count = sum(one.epoch == epoch and one.stopped for one in trials)
        note = f"{count} stopped\nafter {epoch}"
        at = (epoch + 0.5, reached[epoch - 1])
        axes.annotate(note, at, xytext=(4, -2), textcoords="offset points", fontsize=8, va="top")
    title = f"{len(trials)} trials" if stops else f"{len(trials)} trials, none was stopped early"
    style.dress(axes, "epochs", "trials", title)
    style.whole(axes.xaxis)
    style.whole(axes.yaxis)
    axes.set_ylim(0, 1.05 * max(reached))
    style.explain(made, axes)
    return made
