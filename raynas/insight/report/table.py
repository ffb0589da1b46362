"""A table of the report: what it shows, and by what its columns are sorted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell.

    Attributes:
        text: What it shows.
        value: By what its column is sorted, if not by the text; a missing value comes last.
        more: Text that is folded away behind ``text``; empty if there is none.
        marked: Whether it is highlighted: it differs from what it is compared with.
    """

    text: str
    value: float | None = None
    more: str = ""
    marked: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One row.

    Attributes:
        cells: Its cells, one for each column.
        marked: Whether it is highlighted, such as the winner.
        group: By what the rows can be filtered; empty if by nothing.
    """

    cells: Sequence[Cell]
    marked: bool = False
    group: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table.

    Attributes:
        caption: What it shows, in a few words.
        heads: The names of the columns.
        rows: The rows.
        numeric: The columns, by position, that are aligned to the right.
    """

    caption: str
    heads: Sequence[str]
    rows: Sequence[Row]
    numeric: frozenset[int] = frozenset()


def table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    """Return a table of cells and of what becomes the text of a cell.

    A column is numeric if all of its cells with text have a value.
    """
    cells = [[one if isinstance(one, Cell) else Cell(str(one)) for one in row] for row in rows]
    return of_rows(caption, heads, [Row(row) for row in cells])


def of_rows(caption: str, heads: Sequence[str], rows: Sequence[Row]) -> Table:
    """Return a table of rows; see ``table``."""
    numeric = (
        column
        for column in range(len(heads))
        if (shown := [row.cells[column] for row in rows if row.cells[column].text])
        and all(cell.value is not None for cell in shown)
    )
    return Table(caption, heads, rows, frozenset(numeric))
