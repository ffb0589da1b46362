"""Read files of the user's own: text, and tables (CSV, Parquet, JSON lines) by pandas."""

from __future__ import annotations

import logging
import warnings
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from raynas.errors import DataError, unknown
from raynas.json_text import parsed
from raynas.tasks.class_folders import files_below
from raynas.tasks.csv_format import CsvFormat, opened
from raynas.tasks.standalone.rows import is_written_number, without_signs
from raynas.tasks.task import Source

if TYPE_CHECKING:
    import pandas as pd

_LOG = logging.getLogger("raynas")
_CSV: Final = (".csv", ".tsv", ".txt", ".data")
_PARQUET: Final = (".parquet", ".pq")
_JSON: Final = (".jsonl", ".ndjson")


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
    first line holds most outside of quotes, or blanks if it holds none), ``.parquet`` or ``.pq``,
    ``.jsonl`` or ``.ndjson``. Text files may be compressed (``.gz``). If the separator is no
    comma, numbers such as ``3,14`` have a decimal comma; with tabs and bars, only if the file has
    no numbers such as ``3.14``.

    Raises:
        DataError: The file is of another kind, damaged, or empty; a row has more cells than there
            are names; or a quotation mark is not closed.
    """
    import pandas as pd  # noqa: PLC0415 - slow to load

    compressed = path.suffix.lower() == ".gz"
    kind = (path.with_suffix("") if compressed else path).suffix.lower()
    try:
        if kind in _PARQUET:
            table = _with_index(pd.read_parquet(path))
        elif kind in _JSON:
            with opened(path) as lines:
                table = pd.DataFrame([parsed(line) for line in lines if line.strip()])
        elif kind in _CSV:
            table = _read_text_table(path)
        else:
            known = ", ".join((*_CSV, *_PARQUET, *_JSON))
            raise DataError(f"a table must be a file {known} or one of these with .gz: got {path}")
    except UnicodeDecodeError as error:
        raise DataError(_not_utf8(path, error)) from error
    # The errors of pandas and pyarrow are ValueErrors.
    except (ValueError, OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read as a table: {str(error).strip()}") from error
    if not len(table):
        raise DataError(f"{path} must hold at least one row below the names of the columns")
    return table.rename(columns=str).reset_index(drop=True)


def _with_index(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose index, if it has names, are columns."""
    return table if table.index.names == [None] else table.reset_index()


def _read_text_table(path: Path) -> pd.DataFrame:
    import pandas as pd  # noqa: PLC0415 - slow to load

    form = CsvFormat.of(path)
    # Without index_col=False, pandas takes the first cells of too long rows for row names, and
    # moves every other cell one column to the left.
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            table: pd.DataFrame = pd.read_csv(
                path,
                encoding="utf-8-sig",
                low_memory=False,
                index_col=False,
                skipinitialspace=True,
                sep=form.separator,
                decimal=form.decimal,
                **form.quotes,
            )
        except pd.errors.ParserWarning as error:
            raise ValueError(
                "each row must have as many cells as the first line has names, and here rows have "
                "more; name the first column, too, or quote cells that hold the separator"
            ) from error
    return table


def read_text(file: Path) -> str:
    """Return the contents of a text file, which may be compressed (``.gz``).

    Raises:
        DataError: It is not UTF-8 text.
    """
    try:
        with opened(file) as text:
            return text.read()
    except UnicodeDecodeError as error:
        raise DataError(_not_utf8(file, error)) from error
    except (EOFError, OSError, zlib.error) as error:
        raise DataError(f"{file} cannot be read: {error}") from error


def text_files(folder: Path) -> list[Path]:
    """Return the ``.txt`` files below a folder, sorted, without hidden ones."""
    return [file for file in files_below(folder) if file.suffix.lower() == ".txt"]


def _not_utf8(file: Path, error: UnicodeDecodeError) -> str:
    return f"{file} must be text in UTF-8: {error}; save it as UTF-8"


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
        column: The name of the column. Dates become days since 1970, durations become days.
        advice: What else may be done if a cell holds text, for the message.

    Raises:
        DataError: A cell holds text or infinity; the message names its row.
    """
    import pandas as pd  # noqa: PLC0415 - slow to load

    cells: Any = table[column]
    if cells.dtype.kind in "Mm":  # days since 1970, or of a duration, whatever pandas counts in
        start = pd.Timestamp(0, tz=getattr(cells.dtype, "tz", None))
        cells = (cells - start if cells.dtype.kind == "M" else cells) / pd.Timedelta(days=1)
    found: NDArray[np.float64] = pd.to_numeric(plain(cells), errors="coerce").to_numpy(
        np.float64, na_value=np.nan
    )
    wrong = (np.isnan(found) & cells.notna().to_numpy()) | np.isinf(found)
    if wrong.any():
        raise DataError(
            f"the column {column!r} must hold finite numbers: got {first(cells, wrong)}; change "
            f"or empty that cell{advice}"
        )
    return found


def plain(cells: pd.Series) -> pd.Series:
    """Return texts such as ``$1,250.50`` and ``12 %`` as texts that pandas takes for numbers.

    If a cell is anything else, all stay as they are.
    """
    known = cells.dropna()
    if cells.dtype.kind in "biufcMm" or not all(map(is_written_number, known)):
        return cells
    return cells.map(without_signs, na_action="ignore")


def first(cells: pd.Series, wrong: NDArray[np.bool_]) -> str:
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
