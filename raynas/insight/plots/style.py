"""What all plots share: a figure with quiet axes, the colours, and a sentence instead of a plot.

Text and axes keep Matplotlib's black, and grids are half transparent, so that a picture can be
recoloured for a dark background.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from numpy.typing import NDArray

from raynas.trial import Finished, History, Trial

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

# The colours of Okabe and Ito, which colour-blind people can distinguish.
BLUE: Final = "#0072B2"
ORANGE: Final = "#D55E00"
GREEN: Final = "#009E73"
PINK: Final = "#CC79A7"
YELLOW: Final = "#E69F00"
SKY: Final = "#56B4E9"
GREY: Final = "#888888"
COLOURS: Final = (BLUE, ORANGE, GREEN, PINK, YELLOW, SKY)

WIDTH: Final = 7.2  # inches, of all plots
_WORST: Final = 0.1  # the share of the lowest scores that an axis may leave out
_FENCE: Final = 1.5  # how far below the others they must be, in ranges of the others


def figure(height: float = 4.0, width: float = WIDTH) -> Figure:
    """Return an empty figure; its size is in inches."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - slow to load, and only to draw

    return Figure(figsize=(width, height), layout="constrained")


def nothing(reason: str) -> Figure:
    """Return a small figure with a sentence, for a run from which there is nothing to draw."""
    made = figure(height=1.2)
    said = "\n".join(textwrap.wrap(reason, 80))
    made.text(0.5, 0.5, said, ha="center", va="center", color=GREY)
    return made


def dress(axes: Axes, x: str, y: str, title: str = "") -> None:
    """Name the axes, and leave out lines that show nothing."""
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.set_title(title, loc="left", fontsize=10)
    axes.grid(axis="y", color=GREY, alpha=0.25, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(which="both", length=0)


def whole(axis: Axis) -> None:
    """Put the ticks of an axis at whole numbers."""
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415 - see figure

    axis.set_major_locator(MaxNLocator(integer=True, nbins="auto"))


def metric_axis(axis: Axis, name: str) -> None:
    """Write accuracies, which are fractions, in percent, and counts in short."""
    from matplotlib.ticker import EngFormatter, PercentFormatter  # noqa: PLC0415 - see figure

    if name.endswith("accuracy"):
        axis.set_major_formatter(PercentFormatter(1.0))
    elif name in {"params", "flops"}:
        axis.set_major_formatter(EngFormatter(sep=""))


def score_limits(axes: Axes, scores: Iterable[float], *, highest: bool) -> None:
    """Leave out the worst scores if they are so far away that nothing else could be seen.

    Args:
        axes: The axes, whose vertical axis shows the scores. The title says how many dots are
            outside.
        scores: The scores that decide about the limits.
        highest: Whether the highest score is the best one.
    """
    sign = 1 if highest else -1
    signed = sign * np.sort(np.array([score for score in scores if np.isfinite(score)]))[::sign]
    if len(signed) < 2:
        return
    low, best = float(signed[int(_WORST * len(signed))]), float(signed[-1])
    lowest = max(float(signed[0]), low - _FENCE * (best - low))
    room = 0.06 * (best - lowest) or 0.01
    axes.set_ylim(*sorted((sign * (lowest - room), sign * (best + room))))


def say_outside(axes: Axes, scores: Iterable[float]) -> None:
    """Say in the title how many scores are outside of the axes, if there are any."""
    low, high = axes.get_ylim()
    outside = sum(not low <= score <= high for score in scores)
    if outside:
        said = f"{outside} {'score is' if outside == 1 else 'scores are'} outside of the picture"
        title = axes.get_title(loc="left")
        axes.set_title(f"{title}; {said}" if title else said, loc="left", fontsize=10)


def explain(made: Figure, axes: Axes) -> None:
    """Put the legend of the axes below the figure, where it hides nothing."""
    handles, names = axes.get_legend_handles_labels()
    if handles:
        place: Literal["outside lower center"] = "outside lower center"
        made.legend(handles, names, loc=place, ncols=6, frameon=False, fontsize=8)


def scored(history: History) -> list[Trial]:
    """Return the trained trials that ended with a score, in the order they finished first."""
    return [
        trial
        for trial in history.finished
        if trial.trained
        and isinstance(history.trials[trial.number].outcome, Finished)
        and np.isfinite(trial.losses).all()
    ]
