"""Put the rows of a table in the order of their time."""

from __future__ import annotations

import logging
import warnings
from typing import TYPE_CHECKING, Final

import numpy as np

from raynas.errors import DataError
from raynas.tasks.reading import first

if TYPE_CHECKING:
    import pandas as pd

_UNEVEN: Final = 1.5  # a month is at most 1.11 times as long as another
_LOG = logging.getLogger("raynas")


def in_order(table: pd.DataFrame, time: str) -> pd.DataFrame:
    """Return the rows in the order of a column of dates or numbers, without that column.

    Raises:
        DataError: A cell is neither, two are equal, or the order of day and month is unknown.
    """
    import pandas as pd  # noqa: PLC0415 - slow to load

    cells = table[time]
    if pd.api.types.is_numeric_dtype(cells.dtype) or cells.dtype.kind in "Mm":
        when = cells
    else:
        when = _dates(cells, time)
    if (wrong := when.isna().to_numpy()).any():
        raise DataError(
            f"the column {time!r} must hold a date or a number in each row: got "
            f"{first(cells, wrong)}"
        )
    if (twice := when.duplicated().to_numpy()).any():
        raise DataError(
            f"the column {time!r} must have another value in each row: got again "
            f"{first(cells, twice)}"
        )
    order = np.argsort(when.to_numpy(), kind="stable")
    _tell_uneven(when.iloc[order], time)
    return table.iloc[order].drop(columns=time)


def _dates(cells: pd.Series, time: str) -> pd.Series:
    """Return texts as dates.

    Of ``03/04/2020``, nobody knows which number is the month. If only one order makes dates of all
    cells, it is that; if both do, it is the one in which the rows of the file are sorted.
    """
    month, day = _parsed(cells, day_first=False), _parsed(cells, day_first=True)
    if month.isna().any() or day.isna().any():
        return month if month.isna().sum() <= day.isna().sum() else day
    if (month.rank() == day.rank()).all() or _is_sorted(month):
        return month
    if _is_sorted(day):
        return day
    raise DataError(
        f"the column {time!r} must say which number is the month: {cells.iloc[0]!r} may be "
        f"{month.iloc[0].date()} or {day.iloc[0].date()}; write dates as 2020-12-31"
    )


def _is_sorted(dates: pd.Series) -> bool:
    return bool(dates.is_monotonic_increasing or dates.is_monotonic_decreasing)


def _parsed(cells: pd.Series, *, day_first: bool) -> pd.Series:
    import pandas as pd  # noqa: PLC0415 - slow to load

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandas warns of a format that it does not know
        return pd.to_datetime(cells, errors="coerce", dayfirst=day_first, utc=True)


def _tell_uneven(when: pd.Series, time: str) -> None:
    """Say it if the rows are not evenly spaced in time: networks count rows."""
    steps = np.diff(when.to_numpy())
    if len(steps) and steps.max() > _UNEVEN * steps.min():
        short, usual, long = (when.diff().quantile(share) for share in (0, 0.5, 1))
        _LOG.warning(
            "the rows are not evenly spaced in %r: a step is %s, the shortest %s and the longest "
            "%s; networks see rows, not times, so add the rows that are missing",
            time,
            usual,
            short,
            long,
        )
