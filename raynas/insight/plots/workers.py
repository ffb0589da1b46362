"""What each worker did when."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from raynas.insight.ledger import ledger
from raynas.insight.plots import style
from raynas.insight.plots.clock import elapsed
from raynas.insight.wording import status
from raynas.trial import History, Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLOURS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "finished": style.BLUE,
        "stopped early": style.SKY,
        "failed": style.ORANGE,
        "running": style.GREEN,
    }
)
_ROWS: Final = 64  # workers that have a row of their own
_NAMED: Final = 20  # with more workers, their names would overlap


def workers(history: History) -> Figure:
    """Draw one row for each worker, with a bar for each epoch, coloured by the trial's outcome.

    White is the time without training: the start of a worker, or waiting. Workers that train
    several trials at once have overlapping bars.

    Args:
        history: All events of the run.
    """
    rows: defaultdict[str, list[tuple[float, float, str]]] = defaultdict(list)
    for trial in history.trials.values():
        for worker, begin, seconds in _bars(history, trial):
            rows[worker].append((begin, seconds, _COLOURS.get(status(trial), style.GREY)))
    if not rows:
        return style.nothing("There is no work to show: no trial has reported yet.")
    shown = [*rows][:_ROWS]
    made = style.figure(height=1.1 + 0.3 * max(2, min(len(shown), _NAMED)))
    axes = made.subplots()
    for place, worker in enumerate(shown):
        spans = [(begin, seconds) for begin, seconds, _ in rows[worker]]
        colours = [colour for *_, colour in rows[worker]]
        axes.broken_barh(spans, (place - 0.4, 0.8), facecolors=colours)
    if len(shown) <= _NAMED:
        axes.set_yticks(range(len(shown)), [worker or "worker" for worker in shown])
    axes.invert_yaxis()
    share = ledger(history).utilisation
    title = "" if share is None else f"workers trained {share:.0%} of the time"
    if len(rows) > len(shown):
        title += f"; {len(rows) - len(shown)} more workers are not shown"
    style.dress(axes, "seconds of search", "", title)
    axes.grid(visible=False)
    _explain(made, {colour for row in rows.values() for *_, colour in row})
    return made


def _bars(history: History, trial: Trial) -> list[tuple[str, float, float]]:
    """Return each period of work on a trial: the worker, its beginning, its seconds."""
    return [
        (spell.worker, elapsed(history, spell.at) - spell.seconds, spell.seconds)
        for spell in trial.spells
        if spell.seconds
    ]


def _explain(made: Figure, used: set[str]) -> None:
    from matplotlib.patches import Patch  # noqa: PLC0415 - slow to load

    marks = [
        Patch(color=colour, label=name) for name, colour in _COLOURS.items() if colour in used
    ]
    made.legend(handles=marks, loc="outside lower center", ncols=4, frameon=False, fontsize=8)
