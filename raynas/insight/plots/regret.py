"""Plot regret curves: the distance to the best score as a function of the spent budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from raynas.insight.regret import Comparison, Curves, Floats, Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# The colours of Okabe and Ito, which colour-blind people can distinguish; the yardstick is grey.
_COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_GREY: Final = "#888888"
# The line styles after each use of all colours, and their marks beside the names.
_DASHES: Final = (("solid", ""), ("dashed", "╌ "), ("dotted", "┈ "))
_APART: Final = 0.045  # the least distance of two labels, as a fraction of the axis' height
_LUCK: Final = 1 / 30  # the plot may cut off the curves before this fraction of the budget
_FLOOR: Final = 0.01  # the least regret that is drawn, because a log axis has no 0


def plot(comparisons: Sequence[Comparison], path: Path) -> None:
    """Draw the mean test regret and its 95 % interval.

    The figure has one row for each table, and one column for each kind of budget.

    Args:
        comparisons: The comparisons to draw.
        path: The file to write; its suffix determines the format.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 - slow to load, and only to draw

    kinds = [kind for kind in ("trainings", "seconds") if getattr(comparisons[0], kind)]
    size = (7.2 * len(kinds), 4.4 * len(comparisons))
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(comparisons), len(kinds), squeeze=False)
    for row, comparison in zip(grid, comparisons, strict=True):
        for axes, kind in zip(row, kinds, strict=True):
            _draw(axes, comparison, kind)
    figure.savefig(path, dpi=150)


def _draw(axes: Axes, comparison: Comparison, kind: str) -> None:
    ends: dict[str, tuple[float, str]] = {}
    highest = 0.0
    faint = 0.6 / max(5, len(comparison.reached))
    names = [name for name in comparison.reached if name != comparison.yardstick]
    for name, reached in comparison.reached.items():
        curves = reached.by_trainings if kind == "trainings" else reached.by_seconds
        spent, mean, low, high = _regret(comparison, curves)
        if not len(spent):
            continue
        style: dict[str, Any] = {"color": _GREY, "linewidth": 1.5}
        mark = ""
        if name in names:
            turn, number = divmod(names.index(name), len(_COLOURS))
            dashes, mark = _DASHES[turn % len(_DASHES)]
            style = {"color": _COLOURS[number], "linewidth": 2, "linestyle": dashes, "zorder": 3}
        axes.plot(spent, mean, **style)
        axes.fill_between(spent, low, high, color=style["color"], alpha=faint, linewidth=0)
        ends[mark + name] = (float(mean[-1]), style["color"])
        highest = max(highest, float(mean[spent >= _LUCK * spent[-1]][0]))
    _dress(axes, comparison, kind)
    axes.set_ylim(top=1.3 * highest or None)
    _label(axes, ends)


def _regret(comparison: Comparison, curves: Curves) -> tuple[Floats, Floats, Floats, Floats]:
    """Return the points at which every run has a value, the mean regret, and its interval.

    The regret of accuracies is in percentage points; other scores keep their unit.
    """
    whole = ~np.isnan(curves.test).any(axis=0)
    unit = 100 if comparison.fractions else 1
    regret = unit * comparison.sign * (comparison.best - curves.test[:, whole])
    means = regret.mean(axis=0)
    intervals = [Interval.of(column) for column in regret.T]
    low = [i.low if i else mean for i, mean in zip(intervals, means, strict=True)]
    high = [i.high if i else mean for i, mean in zip(intervals, means, strict=True)]
    mean, low, high = np.maximum([means, low, high], _FLOOR)
    return np.array(curves.spent)[whole], mean, low, high


def _dress(axes: Axes, comparison: Comparison, kind: str) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter  # noqa: PLC0415

    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(which="both", length=0)
    axes.set_xlabel("trainings" if kind == "trainings" else "simulated seconds")
    side = "below" if comparison.sign > 0 else "above"
    what = "accuracy" if comparison.objective.metric.endswith("accuracy") else "score"
    title = (
        f"test {what} {side} the best ({100 * comparison.best:.2f} %), in percentage points"
        if comparison.fractions
        else f"test score {side} the best ({comparison.best:.5g})"
    )
    axes.set_title(f"{comparison.name}: {title}", loc="left", fontsize=10)


def _label(axes: Axes, ends: Mapping[str, tuple[float, str]]) -> None:
    """Write each name beside the end of its line; move names apart if they would overlap."""
    to_axes = axes.transData + axes.transAxes.inverted()
    order = sorted(ends, key=lambda name: ends[name][0])
    heights = [float(to_axes.transform((1.0, ends[name][0]))[1]) for name in order]
    for name, height in zip(order, apart(heights, _APART), strict=True):
        axes.annotate(
            name,
            xy=(1.01, height),
            xycoords="axes fraction",
            color=ends[name][1],
            va="center",
            annotation_clip=False,
        )


def apart(heights: Sequence[float], gap: float) -> list[float]:
    """Return the heights, moved so that neighbours are at least ``gap`` apart.

    Heights that are too close form a group, which is spread evenly around its mean.

    Args:
        heights: The heights, in ascending order.
        gap: The least distance.
    """
    groups: list[list[float]] = []
    for height in heights:
        groups.append([height])
        while len(groups) > 1 and _lowest(groups[-1], gap) - _highest(groups[-2], gap) < gap:
            groups[-2:] = [groups[-2] + groups[-1]]
    return [_lowest(group, gap) + i * gap for group in groups for i in range(len(group))]


def _lowest(group: Sequence[float], gap: float) -> float:
    return sum(group) / len(group) - (len(group) - 1) * gap / 2


def _highest(group: Sequence[float], gap: float) -> float:
    return sum(group) / len(group) + (len(group) - 1) * gap / 2
