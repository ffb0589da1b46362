"""The ledger as text: one line at the end of a search, and tables for ``raynas show``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table

from raynas.insight.ledger import Ledger, Share, Totals
from raynas.insight.wording import duration, say


def in_short(books: Totals) -> str:
    """Return utilisation, GPU-hours, wasted and saved time in one line; empty if all are 0."""
    parts = []
    if books.utilisation is not None:
        parts.append(f"workers trained {books.utilisation:.0%} of {duration(books.held)}")
    if books.gpu_hours:
        parts.append(f"{books.gpu_hours:.3g} GPU-hours")
    parts += [f"{duration(spent)} wasted on {why}" for why, spent in books.wasted.items() if spent]
    if books.answered:
        parts.append(f"answers from the journal saved {duration(books.answered)}")
    return "; ".join(parts)


def print_ledger(console: Console, books: Ledger) -> None:
    """Print the whole ledger: as tables on a terminal, otherwise as plain lines."""
    lines = [*totals(books)]
    widest = max(len(name) for name, _ in lines)
    for name, value in lines:
        say(console, f"{name:{widest}}  {value}")
    shares = {"epochs": books.rungs, "worker": books.workers, "trial": books.trials}
    for name, rows in shares.items():
        if rows:
            say(console, "")
            _print_shares(console, name, rows, books.trained)


def totals(books: Ledger) -> Iterator[tuple[str, str]]:
    """Yield the names and the values of the whole ledger, as text."""
    yield "time", duration(books.worked)
    yield "worker time", duration(books.held)
    known = "" if books.utilisation is None else f", {books.utilisation:.1%} of that"
    yield "worker time in training", f"{duration(books.trained)}{known}"
    yield "GPU-hours", f"{books.gpu_hours:.3g}"
    for why, spent in books.wasted.items():
        yield f"wasted on {why}", duration(spent)
    yield "saved by answers from the journal", duration(books.answered)
    yield "saved by stopping early", f"about {duration(books.stopped)}"


def _print_shares(console: Console, name: str, rows: Sequence[Share], whole: float) -> None:
    heads = [name, *(["trials"] if name != "trial" else []), "epochs", "time", "share"]
    cells = [heads]
    for row in rows:
        trials = [str(row.trials)] if name != "trial" else []
        share = f"{row.seconds / whole:.1%}" if whole else ""
        cells.append([row.name, *trials, str(row.epochs), duration(row.seconds), share])
    if console.is_terminal:
        table = Table(*heads)
        for cell in cells[1:]:
            table.add_row(*cell)
        console.print(table)
        return
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for cell in cells:
        say(
            console, "  ".join(text.rjust(width) for text, width in zip(cell, widths, strict=True))
        )
