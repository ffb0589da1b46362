"""The final trainings as a table and sentences."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from raynas.insight.retraining import Retrained
from raynas.insight.wording import say


def print_retrained(console: Console, found: Retrained) -> None:
    """Print one row for each architecture, and what the scores mean.

    Args:
        console: The console; a terminal gets a table, otherwise plain lines.
        found: The final trainings.
    """
    heads, *rows = found.lines
    if console.is_terminal:
        table = Table(box=None, header_style="bold", pad_edge=False)
        for head in heads:
            table.add_column(head, justify="right", no_wrap=True)
        for row in rows:
            table.add_row(*row, style="bold green" if "winner" in row[0] else "")
        console.print(table)
    else:
        widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
        for row in (heads, *rows):
            cells = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
            say(console, "  ".join(cells).rstrip())
    say(console, "")
    say(console, found.verdict)
