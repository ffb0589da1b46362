"""Aligned columns of text, fitted to the width of a terminal."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Collection, Iterator, Sequence
from itertools import compress
from typing import Final

GAP: Final = "  "
_LAST: Final = 20  # the minimum width of the last column, in characters
Cells = list[list[str]]
"""Rows of cells; the first row has the names of the columns."""


def aligned(
    cells: Sequence[Sequence[str]], width: float = math.inf, left: Collection[str] = ()
) -> Iterator[str]:
    """Yield each row as text; the last cell is wrapped below itself if it is too long.

    Args:
        cells: The rows.
        width: The width of the terminal, in characters.
        left: The columns whose cells begin at the left; those of others end at the right.
    """
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)][:-1]
    before = sum(widths) + len(GAP) * len(widths)
    signs = ["<" if name in left else ">" for name in cells[0]] if cells else []
    for *most, last in cells:
        columns = zip(most, signs, widths, strict=False)  # the last one is as wide as it is
        line = "".join(f"{cell:{sign}{size}}{GAP}" for cell, sign, size in columns)
        fits = before + len(last) <= width
        parts = [last] if fits else textwrap.wrap(last, max(int(width) - before, 1))
        yield (line + f"\n{' ' * before}".join(parts)).rstrip()


def fitting(
    cells: Cells, width: float, omitted: Sequence[str], kept: Collection[str] = ()
) -> Cells:
    """Return the cells without the columns that do not fit into the width.

    Args:
        cells: The rows.
        width: The width of the terminal, in characters.
        omitted: The columns that may be omitted, in this order, until the others fit.
        kept: Those of them that must stay.
    """
    for head in omitted:
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        widths[-1:] = [min(widths[-1], _LAST)] if widths else []  # only it may be wrapped
        if sum(widths) + len(GAP) * (len(widths) - 1) <= width:
            break
        stay = [name != head or name in kept for name in cells[0]]
        cells = [[*compress(row, stay)] for row in cells]
    return cells
