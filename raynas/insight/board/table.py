"""The best trials as a table: a text in Markdown, and a picture for the first page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from raynas.insight.board.summaries import cell, plain
from raynas.insight.wording import count, duration, metric, status
from raynas.space import Architecture
from raynas.trial import History, Objective, Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def rows(best: Sequence[Trial], objectives: Sequence[Objective]) -> list[list[str]]:
    """Return the heads of the columns, then one row for each trial."""
    names = [one.metric for one in objectives]
    costs = [one for one in ("params", "flops") if any(one in trial.metrics for trial in best)]
    costs = [name for name in costs if name not in names]
    heads = ["#", "trial", *names, *costs, "epochs", "time", "status"]
    table = [heads]
    for rank, trial in enumerate(best, start=1):
        known = trial.metrics
        shown = [metric(name, known[name]) if name in known else "" for name in names]
        shown += [count(known[name]) if name in known else "" for name in costs]
        ends = [str(trial.epoch), duration(trial.seconds), status(trial)]
        table.append([str(rank), str(trial.number), *shown, *ends])
    return table


def _few(table: list[list[str]]) -> list[list[str]]:
    """Return the columns that can be read in a small picture."""
    kept = [at for at, head in enumerate(table[0]) if head not in {"flops", "time", "status"}]
    return [[row[at] for at in kept] for row in table]


def as_markdown(history: History, best: Sequence[Trial]) -> str:
    """Return the best trials as a table, with the decisions of each below it."""
    heads, *others = rows(best, history.objectives)
    aligned = ["---:"] * (len(heads) - 1) + [":---"]
    safe = [[cell(words) for words in row] for row in (heads, *others)]
    table = [f"| {' | '.join(row)} |" for row in (safe[0], aligned, *safe[1:])]
    said = [f"- trial {trial.number}: {_decisions(trial.architecture)}" for trial in best]
    return "\n".join([*table, "", *said])


def _decisions(architecture: Architecture) -> str:
    return ", ".join(f"{cell(path)} {cell(str(value))}" for path, value in architecture.items())


def table_picture(history: History, best: Sequence[Trial]) -> Figure:
    """Return the table as a figure."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - slow to load, and only to draw

    table = _few(rows(best, history.objectives))
    widths = [max(len(row[at]) for row in table) + 2.0 for at in range(len(table[0]))]
    step = 0.27
    figure = Figure(figsize=(0.095 * sum(widths) + 0.3, step * len(table) + 0.3))
    figure.set_label("The best trials")
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_axis_off()
    axes.set_xlim(0.0, sum(widths) + 2)
    axes.set_ylim(len(table) + 0.1, -0.6)
    axes.axhline(0.55, color="#7a7a7a", linewidth=0.8)
    for down, row in enumerate(table):
        right = 0.0
        for words, width in zip(row, widths, strict=True):
            right += width
            axes.text(
                right,
                down,
                plain(words),
                ha="right",
                va="center",
                fontsize=9,
                weight="bold" if down < 2 else "normal",
                parse_math=False,
            )
    return figure
