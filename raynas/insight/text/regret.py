"""Print a comparison of searchers as a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.table import Table

from raynas.insight.regret import Comparison, Interval, Reached
from raynas.insight.wording import plural, say


@dataclass(frozen=True, slots=True)
class _Unit:
    """The format of scores: fractions in percent, other values unchanged."""

    name: str
    factor: float
    digits: str

    @classmethod
    def of(cls, comparison: Comparison) -> _Unit:
        return cls(" %", 100.0, ".2f") if comparison.fractions else cls("", 1.0, ".4g")

    def text(self, value: float, sign: str = "") -> str:
        return f"{self.factor * value:{sign}{self.digits}}"


def print_comparison(console: Console, comparison: Comparison) -> None:
    """Print means and standard deviations, one row for each searcher and point."""
    unit = _Unit.of(comparison)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("searcher", overflow="fold")
    above = "above" if comparison.sign > 0 else "below"
    above = f"{above} {comparison.yardstick} (95 %)"
    for column in ("spent", f"validation{unit.name}", f"test{unit.name}", above):
        table.add_column(column, justify="right", no_wrap=True)
    for name, reached in comparison.reached.items():
        for number, row in enumerate(_rows(comparison, name, reached, unit)):
            table.add_row("" if number else name, *row)
        table.add_section()
    runs = len(next(iter(comparison.reached.values())).by_trainings.test)
    best = f"{unit.text(comparison.best)}{unit.name}"
    say(console, f"{comparison.name}: {plural(runs, 'run')} each; the best test score is {best}")
    console.print(table)
    times = (f"{name} {one.ms_per_trial:.1f}" for name, one in comparison.reached.items())
    say(console, f"milliseconds per proposal: {', '.join(times)}\n")


def _rows(
    comparison: Comparison, name: str, reached: Reached, unit: _Unit
) -> Iterator[tuple[str, ...]]:
    base = comparison.reached[comparison.yardstick]
    axes = (
        (comparison.trainings, "", reached.by_trainings, base.by_trainings),
        (comparison.seconds, " s", reached.by_seconds, base.by_seconds),
    )
    for points, suffix, curves, other in axes:
        for spent in points:
            figures = curves.summary(spent)
            first, second = (curves, other) if comparison.sign > 0 else (other, curves)
            above = None if name == comparison.yardstick else first.against(second, spent)
            yield (
                f"{spent:,.10g}{suffix}",
                _spread(figures["valid_mean"], figures["valid_std"], unit),
                _spread(figures["test_mean"], figures["test_std"], unit),
                _interval(above, unit),
            )


def _spread(mean: float | None, deviation: float | None, unit: _Unit) -> str:
    if mean is None:
        return "-"
    return unit.text(mean) + ("" if deviation is None else f" ± {unit.text(deviation)}")


def _interval(above: Interval | None, unit: _Unit) -> str:
    if above is None:
        return ""
    low, high = unit.text(above.low, "+"), unit.text(above.high, "+")
    return f"{unit.text(above.mean, '+')} [{low}, {high}]"
