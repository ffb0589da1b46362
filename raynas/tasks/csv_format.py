"""How a text file holds a table: its separator, its decimal sign, and its quotation marks."""

from __future__ import annotations

import csv
import gzip
import logging
import re
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, Final

_LOG = logging.getLogger("raynas")
_SEPARATORS: Final = ",;\t|"
_SPACES: Final = r"\s+"
_SAMPLE: Final = 1 << 16  # characters that are read to find the separator
_CELL: Final = 1 << 27  # characters of a cell, at most
_QUOTED: Final = re.compile(r'"[^"]*"')
_DECIMAL: Final = r"(?:^|{0})\s*-?\d+{1}\d+\s*(?:{0}|$)"
_DOUBLED: Final[Mapping[str, Any]] = MappingProxyType({})
_ESCAPED: Final[Mapping[str, Any]] = MappingProxyType({"doublequote": False, "escapechar": "\\"})
_NO_QUOTES: Final[Mapping[str, Any]] = MappingProxyType({"quoting": csv.QUOTE_NONE})


@dataclass(frozen=True, slots=True)
class CsvFormat:
    r"""What pandas is told of a text file.

    Attributes:
        separator: What stands between cells; ``\s+`` for any number of blanks.
        decimal: What stands before the fraction of a number.
        quotes: How quotation marks are meant, as options of Python's ``csv``.
    """

    separator: str
    decimal: str
    quotes: Mapping[str, Any]

    @classmethod
    def of(cls, path: Path) -> CsvFormat:
        """Return the format of a file.

        Raises:
            ValueError: A quotation mark is not closed.
        """
        with opened(path) as lines:
            sample = _QUOTED.sub("", lines.read(_SAMPLE))
        header = sample.lstrip("\n").partition("\n")[0]
        separator = max(_SEPARATORS, key=header.count)
        if separator not in header and _is_in_columns(sample):
            _say_numbers(header.split())
            return cls(_SPACES, ".", _DOUBLED)
        _say_numbers(header.split(separator))
        decimal = "," if _has_decimal_commas(sample, separator) else "."
        return cls(separator, decimal, _quotes(path, separator))


def opened(path: Path) -> IO[str]:
    """Open a text file, which may be compressed (``.gz``)."""
    return (gzip.open if path.suffix.lower() == ".gz" else open)(path, "rt", encoding="utf-8-sig")


def _is_in_columns(sample: str) -> bool:
    """Return whether each line has equally many words, two or more; the last may be cut off."""
    lines = [line.split() for line in sample.split("\n") if line.strip()]
    whole = lines[: max(2, len(lines) - 1)]
    return len(whole) > 1 and len(whole[0]) > 1 and len({len(line) for line in whole}) == 1


def _say_numbers(names: list[str]) -> None:
    """Say that a first line holds numbers such as 3.14, as rows do."""
    if found := next((name for name in names if re.fullmatch(r"\s*-?\d+\.\d+\s*", name)), None):
        _LOG.warning(
            "the first line is taken for the names of the columns, and holds the number %s: if it "
            "is a row, write a line with names above it",
            found.strip(),
        )


def _has_decimal_commas(sample: str, separator: str) -> bool:
    def has(sign: str) -> bool:
        pattern = _DECIMAL.format(re.escape(separator), re.escape(sign))
        return re.search(pattern, sample, re.MULTILINE) is not None

    # A file with points, too, has commas between thousands; with semicolons, people write commas.
    return separator != "," and has(",") and (separator == ";" or not has("."))


def _quotes(path: Path, separator: str) -> Mapping[str, Any]:
    """Return how quotation marks are meant, so that none swallows the rows that follow it.

    Inside of a quoted cell, one stands there twice, or has a backslash before it. In files without
    quoted cells, one is a sign such as others.

    Raises:
        ValueError: However they are meant, one is not closed.
    """
    if not (wrong := _wrong(path, separator)):
        return _DOUBLED
    if _has_backslashes(path) and _fits(path, separator, _ESCAPED):
        return _ESCAPED
    if not _is_over_lines(path, separator):
        return _DOUBLED  # wrong is, for example, a blank after a closed quotation mark
    if _fits(path, separator, _NO_QUOTES):
        return _NO_QUOTES
    raise ValueError(
        f"a quotation mark that opens a cell must close it ({wrong}): write one inside of a cell "
        "twice, and remove one that is not closed"
    )


def _wrong(path: Path, separator: str) -> str:
    """Return what csv says of a file that is not as it should be."""
    try:
        with _rows(path, separator, strict=True) as rows:
            deque(rows, maxlen=0)
    except csv.Error as error:
        return str(error)
    return ""


def _fits(path: Path, separator: str, quotes: Mapping[str, Any]) -> bool:
    """Return whether each row has as many cells as the first line."""
    try:
        with _rows(path, separator, strict=True, **quotes) as rows:
            width = len(next(rows, []))
            return all(len(row) == width for row in rows if row)
    except csv.Error:
        return False


def _has_backslashes(path: Path) -> bool:
    with opened(path) as lines:
        return any('\\"' in line for line in lines)


def _is_over_lines(path: Path, separator: str) -> bool:
    """Return whether a cell ends on another line than it begins, or nowhere."""
    with _rows(path, separator, strict=False) as rows:
        return any("\n" in cell for row in rows for cell in row)


@contextmanager
def _rows(path: Path, separator: str, **options: Any) -> Iterator[Iterator[list[str]]]:
    csv.field_size_limit(_CELL)
    with opened(path) as lines:
        yield csv.reader(lines, delimiter=separator, skipinitialspace=True, **options)
