"""A comparison of searchers as a table in the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.console import Console
from rich.table import Table

from raynas.insight.regret import Comparison, Interval, Reached
from raynas.insight.wording import plural, say


def print_comparison(console: Console, comparison: Comparison) -> None:
    """Print means and spreads, in per cent, a row per searcher and point."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("searcher", overflow="fold")
    for column in ("spent", "validation %", "test %", f"above {comparison.yardstick} (95 %)"):
        table.add_column(column, justify="right", no_wrap=True)
    for name, reached in comparison.reached.items():
        for number, row in enumerate(_rows(comparison, name, reached)):
            table.add_row("" if number else name, *row)
        table.add_section()
    runs = len(next(iter(comparison.reached.values())).by_trainings.test)
    best = f"{100 * comparison.best:.2f} %"
    say(console, f"{comparison.name}: {plural(runs, 'run')} each; the best test there is: {best}")
    console.print(table)
    times = (f"{name} {one.ms_per_trial:.1f}" for name, one in comparison.reached.items())
    say(console, f"milliseconds to decide, per trial: {', '.join(times)}\n")


def _rows(comparison: Comparison, name: str, reached: Reached) -> Iterator[tuple[str, ...]]:
    base = comparison.reached[comparison.yardstick]
    axes = (
        (comparison.trainings, "", reached.by_trainings, base.by_trainings),
        (comparison.seconds, " s", reached.by_seconds, base.by_seconds),
    )
    for points, unit, curves, other in axes:
        for spent in points:
            figures = curves.summary(spent)
            above = None if name == comparison.yardstick else curves.against(other, spent)
            yield (
                f"{spent:,.10g}{unit}",
                _spread(figures["valid_mean"], figures["valid_std"]),
                _spread(figures["test_mean"], figures["test_std"]),
                _interval(above),
            )


def _spread(mean: float | None, deviation: float | None) -> str:
    if mean is None:
        return "-"
    return f"{100 * mean:.2f}" + ("" if deviation is None else f" ± {100 * deviation:.2f}")


def _interval(above: Interval | None) -> str:
    if above is None:
        return ""
    return f"{100 * above.mean:+.2f} [{100 * above.low:+.2f}, {100 * above.high:+.2f}]"
