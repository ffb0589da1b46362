"""Rows of a table as inputs of the network; this file needs torch alone.

The network of an export, and what it predicts for rows::

    from inputs import encode
    from model import load

    predictions = load()(encode([{"area": 71.5, "colour": "red"}]))

What it knows of the columns is in ``architecture.json`` beside it. Rows may come from
``csv.DictReader``, too. Dates are given as days since 1970.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

# Numbers as people write them: an amount of money, commas between thousands, percents.
_WRITTEN = re.compile(r"\s*[-+]?\s*[$€£¥]?\s*[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?\s*%?\s*")
_SIGNS = re.compile(r"[$€£¥,%\s]")


def encode(rows: Iterable[Mapping[str, Any]], folder: Path | str = Path(__file__).parent) -> Any:
    """Return rows as a tensor ``[rows, features]``.

    Args:
        rows: Each has a cell for each column, by name; an empty one is None, NaN or "".
        folder: Where ``architecture.json`` is.

    Raises:
        ValueError: A row lacks a column, or a cell of numbers holds something else.
    """
    import torch

    card = json.loads((Path(folder) / "architecture.json").read_text(encoding="utf-8"))
    matrix = [_row(row, card["encoding"]) for row in rows]
    return torch.tensor(matrix, dtype=torch.float64).float()


def _row(row: Mapping[str, Any], encoding: Mapping[str, Any]) -> list[float]:
    numerical, categorical = encoding["numerical"], encoding["categorical"]
    for one in (*numerical, *categorical):
        if one["column"] not in row:
            raise ValueError(f"a row must have the column {one['column']!r}: it has {[*row]}")
    cells = [(one, _number(row[one["column"]], one["column"])) for one in numerical]
    numbers = [one["median"] if math.isnan(value) else value for one, value in cells]
    marks = [float(math.isnan(value)) for one, value in cells if one["missing"]]
    blocks = [mark for one in categorical for mark in _block(row[one["column"]], one)]
    return [*numbers, *marks, *blocks]


def is_written_number(cell: Any) -> bool:
    """Return whether a cell is a text such as ``$1,250.50``, ``12 %`` or ``3.5``."""
    return isinstance(cell, str) and _WRITTEN.fullmatch(cell) is not None


def without_signs(cell: str) -> str:
    """Return such a text without what ``float`` does not read: ``1250.50``."""
    return _SIGNS.sub("", cell)


def _empty(cell: Any) -> bool:
    return cell is None or cell == "" or (isinstance(cell, float) and math.isnan(cell))


def _number(cell: Any, column: str) -> float:
    if _empty(cell):
        return math.nan
    try:
        value = float(without_signs(cell) if is_written_number(cell) else cell)
    except (TypeError, ValueError):
        value = math.inf
    if not math.isfinite(value):
        raise ValueError(f"the column {column!r} must hold finite numbers: got {cell!r}")
    return value


def _block(cell: Any, column: Mapping[str, Any]) -> list[float]:
    """Return a 1 for the category of a cell, and 0 for the others."""
    names = set() if _empty(cell) else {_text(cell), _text(_as_number(cell))}
    marks = [float(value in names) for value in column["values"]]
    if column["missing"]:
        marks.append(float(_empty(cell)))
    if column["other"]:
        marks.append(1.0 - sum(marks))
    return marks


def _as_number(cell: Any) -> Any:
    """Return a text as a number, if it is one: a file has no other cells than texts."""
    try:
        value = float(cell)
    except (TypeError, ValueError):
        return cell
    return value if math.isfinite(value) and not isinstance(cell, bool) else cell


def _text(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    return str(int(value)) if value.is_integer() else f"{value:.15g}"
