"""The charts of a report: the shared plots as inline SVG, and how to read them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from markupsafe import Markup

from raynas.insight import plots
from raynas.insight.comparison import BUDGETS
from raynas.insight.figures import svg
from raynas.insight.importance import importance, too_few
from raynas.insight.pictures.architecture import picture
from raynas.insight.report.contenders import called, differences, in_one_line
from raynas.insight.report.run import Run
from raynas.insight.report.section import Chart
from raynas.trial import Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLUMN: Final = 5.4  # inches, of one of two columns


def chart(title: str, caption: str, figure: Figure, size: str = "") -> Chart:
    """Return a figure as a chart; its title is also what screen readers say."""
    figure.set_label(title)
    return Chart(title, caption, Markup(svg(figure)), size)  # Matplotlib has escaped the text


def progress(run: Run) -> Iterator[Chart]:
    """Yield how the search got better."""
    history = run.history
    yield chart(
        "Best so far, by trials",
        "The line is the best score up to each trial. Where it is flat, the search found nothing "
        "better.",
        plots.best_so_far(history, by="trials"),
    )
    yield chart(
        "Best so far, by seconds",
        "The same over the time in which processes worked on the search.",
        plots.best_so_far(history, by="seconds"),
    )
    if history.best_known is not None:
        for by in BUDGETS:
            yield chart(
                f"Regret, by {by}",
                "How far the best score so far is from the best one that there can be.",
                plots.regret_so_far(history, by),
            )
    yield chart(
        "Learning curves",
        "The score of each trial after each epoch. The best five have a colour.",
        plots.curves(history),
    )
    yield chart(
        "How trials ended",
        "The number of trials by how they ended.",
        plots.outcomes(history),
    )


def front(run: Run) -> Chart:
    """Return the trials by their objectives, with the Pareto front."""
    return chart(
        "All trials by their objectives",
        "Each point is a trial. No trial beats those on the front in all objectives.",
        plots.pareto(run.history),
        "wide",
    )


def unclear(run: Run) -> str:
    """Return in a sentence why it cannot be said which decisions matter; empty if it can."""
    if reason := too_few(run.history):
        return reason
    if any(importance(run.history, run.decisions).values()):
        return ""
    return (
        "No decision stands out: among the best networks, the values of each decision are as "
        "frequent as among all networks, apart from chance."
    )


def decisions(run: Run) -> Iterator[Chart]:
    """Yield which decisions matter, and which values were tried."""
    history, known = run.history, run.decisions
    if not unclear(run):
        yield chart(
            "Which decisions matter",
            "The share of each decision in what distinguishes the best networks from the others.",
            plots.importances(history, known),
        )
    yield chart(
        "Scores by value",
        "The scores of the trials with each value of the most important decisions. The other "
        "decisions of these trials differ, too, so a difference need not be an effect.",
        plots.marginals(history, known),
        "wide",
    )
    yield chart(
        "What was explored over time",
        "Which values the search tried, from its first trial to its last. The stronger the "
        "colour, the more trials of that time had the value.",
        plots.explored(history, known),
        "wide",
    )


def lineage(run: Run) -> Chart:
    """Return which trial was derived from which."""
    return chart(
        "Which trial was derived from which",
        "A line leads from each trial to the trial it was derived from.",
        plots.lineage_tree(run.history),
        "wide",
    )


def times(run: Run) -> Iterator[Chart]:
    """Yield what workers did when, and how long trials were trained."""
    yield chart(
        "What workers did",
        "The time in which each worker trained.",
        plots.workers(run.history),
    )
    yield chart(
        "How long trials were trained",
        "The number of trials that were trained for at least so many epochs.",
        plots.rungs(run.history),
    )


def drawn(run: Run, trials: Sequence[Trial]) -> list[Chart]:
    """Return the architectures of trials, with the layers marked that the first one has not."""
    graphs = [run.graph_of(trial.architecture) for trial in trials]
    figures = [picture(graph, marked=differences(graphs[0], graph)) for graph in graphs]
    wide = any(figure.get_figwidth() > _COLUMN for figure in figures)  # then one below the other
    return [
        chart(
            called(run.history, trial),
            in_one_line(trial.architecture),
            figure,
            "small wide" if wide else "small",
        )
        for trial, figure in zip(trials, figures, strict=True)
    ]
