"""Read files of the user's own: text, and tables (CSV, Parquet, JSON lines) by pandas."""

from __future__ import annotations

import gzip
import json
import logging
import re
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from raynas.errors import DataError, unknown
from raynas.tasks.task import Source

if TYPE_CHECKING:
    import pandas as pd

_LOG = logging.getLogger("raynas")
_CSV: Final = (".csv", ".tsv", ".txt", ".data")
_PARQUET: Final = (".parquet", ".pq")
_JSON: Final = (".jsonl", ".ndjson")
_SEPARATORS: Final = ",;\t|"
_SAMPLE: Final = 1 << 16  # characters that are read to find the separator
_DECIMAL_COMMA: Final = re.compile(r"(?:^|;)\s*-?\d+,\d+\s*(?:;|$)", re.MULTILINE)


def located(file: Path, source: Source) -> Path:
    """Return where a file or folder is: as it is given, or in the folder of ``--data-dir``.

    Raises:
        DataError: It is in neither place.
    """
    places = [*dict.fromkeys(place.absolute() for place in (file, source.data_dir / file))]
    for place in places:
        if place.exists():
            return place
    raise DataError(f"the file {file} must be there: looked for {' and '.join(map(str, places))}")


def read_table(path: Path) -> pd.DataFrame:
    """Return a table with one row per example and its columns by name.

    The name says the format: ``.csv``, ``.tsv``, ``.txt`` or ``.data`` (a first line with the
    names of the columns; the separator is a comma, a semicolon, a tab or a bar, whichever the
    first line holds most), ``.parquet`` or ``.pq``, ``.jsonl`` or ``.ndjson``. Text files may be
    compressed (``.gz``). With semicolons, numbers such as ``3,14`` have a decimal comma.

    Raises:
        DataError: The file is of another kind, damaged, or empty.
    """
    import pandas as pd  # noqa: PLC0415 - slow to load

    kind = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    try:
        if kind in _PARQUET:
            table = pd.read_parquet(path)
        elif kind in _JSON:
            with _opened(path) as lines:
                table = pd.DataFrame([json.loads(line) for line in lines if line.strip()])
        elif kind in _CSV:
            table = pd.read_csv(path, encoding="utf-8-sig", low_memory=False, **_format(path))
        else:
            known = ", ".join((*_CSV, *_PARQUET, *_JSON))
            raise DataError(f"a table must be a file {known} or one of these with .gz: got {path}")
    except (ValueError, OSError) as error:  # pandas' and pyarrow's errors are ValueErrors
        raise DataError(f"{path} cannot be read as a table: {error}") from error
    if not len(table):
        raise DataError(f"{path} must hold at least one row below the names of the columns")
    return table.rename(columns=str).reset_index(drop=True)


def _opened(path: Path) -> IO[str]:
    return (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8-sig")


def _format(path: Path) -> dict[str, Any]:
    """Return the separator and the decimal sign of a text file."""
    with _opened(path) as lines:
        sample = lines.read(_SAMPLE)
    header = sample.partition("\n")[0]
    separator = max(_SEPARATORS, key=header.count)
    comma = separator == ";" and _DECIMAL_COMMA.search(sample)
    return {"sep": separator, "decimal": "," if comma else ".", "skipinitialspace": True}


def read_text(file: Path) -> str:
    """Return the contents of a text file.

    Raises:
        DataError: It is not UTF-8 text.
    """
    try:
        return file.read_text(encoding="utf-8-sig")
    except ValueError as error:
        raise DataError(f"{file} must be text in UTF-8: {error}; save it as UTF-8") from error


def require_columns(table: pd.DataFrame, columns: Iterable[str]) -> None:
    """Check that a table has columns of these names.

    Raises:
        DataError: It lacks one; the message lists those that there are.
    """
    for column in columns:
        if column not in table.columns:
            raise DataError(unknown("column", column, table.columns))


def numbers(table: pd.DataFrame, column: str, advice: str = "") -> NDArray[np.float64]:
    """Return a column as numbers; NaN where a cell is empty.

    Args:
        table: The table.
        column: The name of the column.
        advice: What else may be done if a cell holds text, for the message.

    Raises:
        DataError: A cell holds text or infinity; the message names its row.
    """
    import pandas as pd  # noqa: PLC0415 - slow to load

    cells = table[column]
    found = pd.to_numeric(cells, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    wrong = (np.isnan(found) & cells.notna().to_numpy()) | np.isinf(found)
    if wrong.any():
        raise DataError(
            f"the column {column!r} must hold finite numbers: got {_first(cells, wrong)}; change "
            f"or empty that cell{advice}"
        )
    return found


def _first(cells: pd.Series, wrong: NDArray[np.bool_]) -> str:
    """Return the first wrong cell and its row in the file."""
    at = int(np.argmax(wrong))
    row = int(cells.index[at]) + 1
    return f"{str(cells.iloc[at])!r} in row {row} (row 1 is below the names of the columns)"


def filled(table: pd.DataFrame, column: str) -> NDArray[np.float64]:
    """Return a column of numbers, with empty cells on a straight line between their neighbours."""
    cells = numbers(table, column)
    empty = np.isnan(cells)
    if empty.all():
        raise DataError(f"the column {column!r} must hold numbers: all its cells are empty")
    if empty.any():
        _LOG.info("%d empty cells of %r are filled from their neighbours", empty.sum(), column)
        steps = np.arange(len(cells))
        cells = np.interp(steps, steps[~empty], cells[~empty])
    return cells


def in_order(table: pd.DataFrame, time: str) -> pd.DataFrame:
    """Return the rows in the order of a column of dates or numbers, without that column.

    Raises:
        DataError: A cell is neither, or two are equal.
    """
    import pandas as pd  # noqa: PLC0415 - slow to load

    cells = table[time]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandas warns of a format that it does not know
        number = pd.api.types.is_numeric_dtype(cells.dtype)
        when = cells if number else pd.to_datetime(cells, errors="coerce")
    if (wrong := when.isna().to_numpy()).any():
        raise DataError(
            f"the column {time!r} must hold a date or a number in each row: got "
            f"{_first(cells, wrong)}"
        )
    if (twice := when.duplicated().to_numpy()).any():
        raise DataError(
            f"the column {time!r} must have another value in each row: got again "
            f"{_first(cells, twice)}"
        )
    return table.iloc[np.argsort(when.to_numpy(), kind="stable")].drop(columns=time)
