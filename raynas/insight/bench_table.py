"""A bench's results as people see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from raynas.insight.regret import Curves, Reached


def print_bench(
    console: Console,
    title: str,
    reached: Mapping[str, Reached],
    shown: Mapping[str, Sequence[float]],
    yardstick: str = "random",
) -> None:
    """Print a table of means and spreads, in per cent.

    Args:
        console: Where to print.
        title: What was searched on.
        reached: What each searcher reached.
        shown: Which points to show: under ``trainings`` and ``seconds``.
        yardstick: The searcher that the others are compared with.
    """
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in ("searcher", "at", "validation %", "test %", f"test against {yardstick}"):
        table.add_column(column, justify="left" if column == "searcher" else "right")
    for name, of_one in reached.items():
        first = name
        for axis, unit in (("trainings", ""), ("seconds", " s")):
            mine, other = _curves(of_one, axis), _curves(reached[yardstick], axis)
            for spent in shown[axis]:
                point = mine.point(spent)
                difference = mine.against(other, spent) if name != yardstick else None
                table.add_row(
                    first,
                    f"{spent:,g}{unit}",
                    _with_spread(point["valid_mean"], point["valid_std"]),
                    _with_spread(point["test_mean"], point["test_std"]),
                    _interval(difference),
                )
                first = ""
        table.add_row(end_section=True)
    console.print(table)


def _curves(reached: Reached, axis: str) -> Curves:
    return reached.by_trainings if axis == "trainings" else reached.by_seconds


def _with_spread(mean: float | None, spread: float | None) -> str:
    if mean is None or spread is None:
        return "-"
    return f"{100 * mean:.2f} ± {100 * spread:.2f}"


def _interval(difference: Mapping[str, float] | None) -> str:
    if difference is None:
        return ""
    low, high = 100 * difference["low"], 100 * difference["high"]
    return f"{100 * difference['mean']:+.2f}  [{low:+.2f}, {high:+.2f}]"
