"""How many trials ended in which way."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from raynas.insight.outcome_counts import OutcomeCounts
from raynas.insight.plots import style
from raynas.trial import Failed, History

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_REASONS: Final = 6  # reasons of failures that are named
_LONG: Final = 60  # characters of a reason that are shown


def outcomes(history: History) -> Figure:
    """Draw one bar for each outcome; failures have one bar for each reason, the rarest together.

    Args:
        history: All events of the run.
    """
    if not history.trials:
        return style.nothing("There are no trials yet.")
    counts = OutcomeCounts.of(history)
    bars = [
        ("finished", counts.finished, style.BLUE),
        ("stopped early", counts.stopped, style.SKY),
        ("answered from the journal", counts.answered, style.GREY),
        ("not ended", len(history.running), style.GREEN),
    ]
    reasons = Counter(
        trial.outcome.reason
        for trial in history.trials.values()
        if isinstance(trial.outcome, Failed) and trial.trained
    ).most_common()
    bars += [(f"failed: {_short(one)}", count, style.ORANGE) for one, count in reasons[:_REASONS]]
    rest = sum(count for _, count in reasons[_REASONS:])
    shown = [bar for bar in (*bars, ("failed: other reasons", rest, style.ORANGE)) if bar[1]]
    made = style.figure(height=0.8 + 0.32 * len(shown))
    axes = made.subplots()
    names, numbers, colours = zip(*shown, strict=True)
    drawn = axes.barh(range(len(shown)), numbers, color=colours, height=0.7)
    axes.bar_label(drawn, padding=3, fontsize=9)
    axes.set_yticks(range(len(shown)), names)
    axes.invert_yaxis()
    style.dress(axes, "trials", "")
    style.whole(axes.xaxis)
    axes.grid(visible=False)
    return made


def _short(reason: str) -> str:
    line = " ".join(reason.split())
    return line if len(line) <= _LONG else f"{line[: _LONG - 1]}…"
