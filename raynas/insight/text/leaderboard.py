"""The leaderboard as text: coloured on a terminal, plain elsewhere."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, Final

from rich.text import Text

from raynas.insight.leaderboard import BEFORE, FRONT, RESTS, WHOLE, WINNER, Row
from raynas.insight.text.table import aligned, fitting
from raynas.insight.wording import count, duration, metric, on_one_line

_LEFT_OUT: Final = ("FLOPs", "time", "params", "epochs")  # a narrow terminal omits these first
_HEADS: Final = {"rank": "#", "flops": "FLOPs", "seconds": "time", "low": "95 %"}


def as_table(rows: Sequence[Row], width: int, objectives: Collection[str] = ()) -> Text:
    """Return the rows as a coloured table for a terminal.

    Args:
        rows: The leaderboard.
        width: The width of the terminal. If it is too narrow, columns with costs are omitted one
            after the other; at last the status is wrapped.
        objectives: The metrics that are never omitted.
    """
    kept = {_HEADS.get(one, one) for one in objectives}
    shown = fitting(cells(rows), width, _LEFT_OUT, kept)
    marked = any(row[WINNER] for row in rows)
    styles = ["bold"]
    for row in rows:
        mark = row[WINNER] if marked else row["rank"] == 1
        styles.append("bold green" if mark else "dim" if row["rank"] is None else "")
    lines = zip(aligned(shown, width), styles, strict=True)
    return Text("\n").join(Text(line, style) for line, style in lines)


def as_lines(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the rows as aligned plain text; the first line has the names of the columns."""
    yield from aligned(cells(rows))


def cells(rows: Sequence[Row]) -> list[list[str]]:
    """Return the names of the columns, and the rows, as text."""
    if not rows:
        return []
    shown = _shown(rows)
    columns = [[_HEADS.get(name, on_one_line(name)), *_column(name, rows)] for name in shown]
    columns.append(["status", *map(_status, rows)])
    return [[*row] for row in zip(*columns, strict=True)]


def _shown(rows: Sequence[Row]) -> list[str]:
    """Return the columns for people, with means and intervals if they are of interest."""
    name = _objective(rows)
    hidden = {"status", "identity", "architecture", "reason", WINNER, "high"}
    if name in RESTS or not any((row["trainings"] or 0) > 1 for row in rows):
        hidden |= {"trainings", "mean"}
    if name in RESTS or not any(_known(row["low"]) for row in rows):
        hidden.add("low")
    return [one for one in rows[0] if one not in hidden]


def _objective(rows: Sequence[Row]) -> str:
    return next(name for name in rows[0] if name not in BEFORE)


def _column(name: str, rows: Sequence[Row]) -> list[str]:
    if name == FRONT:
        return ["yes" if row[FRONT] else "" for row in rows]
    objective = _objective(rows)
    if name == "low":
        halves = ((row["high"], row["low"]) for row in rows)
        return [
            f"± {metric(objective, (high - low) / 2)}" if _known(low) else ""
            for high, low in halves
        ]
    write = _writer(objective if name == "mean" else name)
    return [write(row[name]) if _known(row[name]) else "" for row in rows]


def _writer(name: str) -> Callable[[Any], str]:
    if name == "seconds":
        return duration
    if name in {"params", "flops"}:
        return count
    return str if name in WHOLE else lambda value: metric(name, value)


def _known(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _status(row: Row) -> str:
    if row["reason"] is not None:
        return f"{row['status']}: {on_one_line(row['reason'])}"
    return f"{row['status']}, winner" if row[WINNER] else row["status"]
