"""How much each decision matters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from raynas.insight.importance import importance, too_few
from raynas.insight.plots import style
from raynas.space import Decision
from raynas.trial import History

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SHOWN: Final = 15


def importances(history: History, decisions: Mapping[str, Decision]) -> Figure:
    """Draw a bar for each decision that matters, at most fifteen.

    See ``insight.importance`` for what the shares mean.

    Args:
        history: All events of the run.
        decisions: The decisions of the space.
    """
    if reason := too_few(history):
        return style.nothing(reason)
    found = {path: share for path, share in importance(history, decisions).items() if share > 0}
    if not found:
        return style.nothing(
            "No decision stands out: among the best networks, the values of each decision are as "
            "frequent as among all networks, apart from chance."
        )
    shown = [*found.items()][:_SHOWN]
    made = style.figure(height=0.9 + 0.3 * len(shown))
    axes = made.subplots()
    shares = [share for _, share in shown]
    drawn = axes.barh(range(len(shown)), shares, color=style.BLUE, height=0.7)
    axes.bar_label(drawn, [f"{share:.0%}" for share in shares], padding=3, fontsize=9)
    axes.set_yticks(range(len(shown)), [path for path, _ in shown])
    axes.invert_yaxis()
    axes.set_xlim(0, 1.12 * max(shares))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    silent = len(decisions) - len(found)
    note = f"{silent} of {len(decisions)} decisions do not stand out from chance"
    title = "what distinguishes the best quarter of the networks"
    style.dress(axes, note if silent else "", "", title)
    axes.grid(visible=False)
    return made
