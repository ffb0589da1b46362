"""Which values the search tried over time."""

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
_COLUMNS: Final = 24  # periods of a run
_EACH: Final = 4  # trials in a period, at least


def explored(history: History, decisions: Mapping[str, Decision]) -> Figure:
    """Draw how often each value was tried over time, for the six most important decisions.

    For options, the colour is the share of the trials of a period that had the option: the darker,
    the more. For numbers, each trial is a dot. White is what was not tried.

    Args:
        history: All events of the run.
        decisions: The decisions of the space.
    """
    trials = [*history.trials.values()]
    chosen = most_important(history, decisions, _SHOWN)
    if not chosen:
        return style.nothing("There is nothing to show: fewer than two different networks.")
    columns = min(2, len(chosen))
    rows = -(-len(chosen) // columns)
    made = style.figure(height=0.4 + 1.9 * rows, width=max(style.WIDTH, 4.4 * columns))
    grid = made.subplots(rows, columns, squeeze=False, sharex=True)
    for axes, decision in zip(grid.ravel(), chosen, strict=False):
        _draw(axes, decision, trials)
    for axes in grid.ravel()[len(chosen) :]:
        axes.set_axis_off()
    for axes in grid[-1]:
        axes.set_xlabel("trial")
    return made


def _draw(axes: Axes, decision: Decision, trials: Sequence[Trial]) -> None:
    path, listed = decision.path, values.options(decision)
    style.dress(axes, "", "", path)
    axes.grid(visible=False)
    if listed is None:
        active = [one for one in trials if path in one.architecture]
        x = [one.number for one in active]
        y = [values.number(one, decision) for one in active]
        axes.scatter(x, y, s=9, color=style.BLUE, alpha=0.6, linewidths=0)
        domain = decision.domain
        if not isinstance(domain, Choice) and domain.log:
            axes.set_yscale("log")
        return
    from matplotlib.colors import to_rgb  # noqa: PLC0415 - slow to load

    bins = max(1, min(_COLUMNS, len(trials) // _EACH))
    edges = np.linspace(-0.5, trials[-1].number + 0.5, bins + 1)
    shares = _shares(trials, path, listed, edges)
    colours = np.zeros((*shares.shape, 4))
    colours[..., :3], colours[..., 3] = to_rgb(style.BLUE), shares
    axes.pcolormesh(edges, np.arange(len(listed) + 1) - 0.5, colours)
    axes.set_yticks(range(len(listed)), [values.name(value) for value in listed], fontsize=8)


def _shares(
    trials: Sequence[Trial], path: str, listed: Sequence[Value], edges: style.Floats
) -> style.Floats:
    """Return ``[options, periods]``: the share of a period's trials that have the option."""
    periods = np.searchsorted(edges, [trial.number for trial in trials]) - 1
    places = {value: place for place, value in enumerate(listed)}
    counts = np.zeros((len(listed), len(edges) - 1))
    for trial, period in zip(trials, periods, strict=True):
        if path in trial.architecture:
            counts[places[trial.architecture[path]], period] += 1
    total = np.bincount(periods, minlength=len(edges) - 1)
    return counts / np.maximum(total, 1)
