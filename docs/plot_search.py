"""Draw a search: what every trial reached after each epoch, and the best so far.

    python docs/plot_search.py runs/digits docs/images/search.png

The picture in the README is of the run that ``bash launch/local.sh`` makes.
"""

from __future__ import annotations

import sys

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import raynas
from raynas.trial import Trial

WINNER, FULL, STOPPED = "#d62728", "#1f77b4", "#9aa5b1"


def main(run: str, picture: str) -> None:
    """Read a run folder and write the picture."""
    result = raynas.load(run)
    trials = [trial for trial in result.history.trials.values() if trial.trained and trial.reports]
    winner = result.winner.number if result.winner else -1
    spines = {"axes.spines.top": False, "axes.spines.right": False}
    with mpl.rc_context({"font.size": 9, **spines}):
        figure = Figure(figsize=(9, 3.1), dpi=110, layout="constrained")
        left, right = figure.subplots(1, 2)
        curves(left, trials, winner)
        progress(right, trials)
        figure.savefig(picture, metadata={"Software": None})


def curves(axes: Axes, trials: list[Trial], winner: int) -> None:
    """Draw a line per trial."""
    for trial in trials:
        colour, width = (STOPPED, 1.0) if trial.stopped else (FULL, 1.2)
        if trial.number == winner:
            colour, width = WINNER, 2.2
        over = {STOPPED: 2, FULL: 3, WINNER: 4}[colour]
        epochs = [report.epoch for report in trial.reports]
        axes.plot(epochs, scores(trial), "o-", ms=3, color=colour, lw=width, zorder=over)
    for colour, name in (
        (WINNER, "winner"),
        (FULL, "trained in full"),
        (STOPPED, "stopped early"),
    ):
        axes.plot([], [], "o-", ms=3, color=colour, label=name)
    axes.legend(frameon=False, loc="lower right")
    axes.set(xlabel="epoch", ylabel="validation accuracy in %", ylim=(40, 101))
    axes.set_title(f"learning curves of {len(trials)} trials")


def progress(axes: Axes, trials: list[Trial]) -> None:
    """Draw the best full training so far against all epochs that were trained."""
    full = max(trial.started.epochs for trial in trials)
    reports = sorted(((r.at, r.number, r) for t in trials for r in t.reports), key=lambda r: r[:2])
    ends = [
        (spent, 100 * report.metrics["val_accuracy"])
        for spent, (_, _, report) in enumerate(reports, 1)
        if report.epoch == full
    ]
    spent, without = len(reports), full * len(trials)
    best = [max(score for _, score in ends[: i + 1]) for i in range(len(ends))]
    axes.step([*(x for x, _ in ends), spent], [*best, best[-1]], where="post", color=WINNER, lw=2)
    axes.plot(*zip(*ends, strict=True), "o", ms=4, color=FULL)
    axes.axvline(spent, color=STOPPED, lw=1)
    axes.axvline(without, color=STOPPED, lw=1, ls="--")
    axes.text(spent + 4, 97.2, f"{spent} epochs\nwith early stopping", color="#555")
    axes.text(without - 4, 97.2, f"{without} epochs\nwithout", color="#555", ha="right")
    axes.set(xlim=(0, without + 10), ylim=(97, 100.2), title="best so far")
    axes.set(xlabel="epochs trained, all trials together")


def scores(trial: Trial) -> list[float]:
    """Return the validation accuracy after each epoch, in per cent."""
    return [100 * report.metrics["val_accuracy"] for report in trial.reports]


if __name__ == "__main__":
    main(*sys.argv[1:])
