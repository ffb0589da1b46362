"""The columns of a table as numbers: which are categories, and how rows are encoded."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from raynas.data import Moments
from raynas.errors import DataError, shown
from raynas.tasks.reading import numbers, plain, require_columns

if TYPE_CHECKING:
    import pandas as pd

_FEW: Final = 8  # a column of at most so many different whole numbers is categorical
_ROWS: Final = 5  # a category has at least so many rows of the training data, or it is rare
_MOST: Final = 50  # categories of a column; those with the fewest rows are rare
_ADVICE: Final = ", or name the column in the option 'categorical'"
_LOG = logging.getLogger("raynas")


@dataclass(frozen=True, slots=True)
class NumberColumn:
    """A column of numbers.

    Attributes:
        column: Its name.
        median: What stands for an empty cell.
        missing: Whether there is a further column that is 1 where the cell is empty, else 0.
    """

    column: str
    median: float
    missing: bool


@dataclass(frozen=True, slots=True)
class CategoryColumn:
    """A column of categories, which becomes a block of columns with 0 and 1.

    Attributes:
        column: Its name.
        values: The categories, as texts; each has a column.
        missing: Whether there is a further column for an empty cell.
        other: Whether there is a further column for all other values.
    """

    column: str
    values: tuple[str, ...]
    missing: bool
    other: bool

    @property
    def size(self) -> int:
        """The number of columns in the block."""
        return len(self.values) + self.missing + self.other


@dataclass(frozen=True, slots=True)
class Encoding:
    """How rows of a table become one row of numbers each.

    First come the columns of numbers, then those that say where a number is missing, then one
    block for each categorical column.

    Attributes:
        numerical: The columns of numbers.
        categorical: The categorical columns.
    """

    numerical: tuple[NumberColumn, ...]
    categorical: tuple[CategoryColumn, ...]

    @classmethod
    def fitted(cls, train: pd.DataFrame, categorical: Collection[str]) -> Encoding:
        """Return the encoding of training rows.

        A column that is the same in all rows, and a categorical column without a value that has
        enough rows, are left out, which is said.

        Raises:
            DataError: A column of numbers holds text, or no column is left.
        """
        plain = [name for name in train.columns if name not in categorical]
        number = [one for name in plain if (one := _number(train, name))]
        category = [
            one for name in train.columns if name in categorical for one in _category(train, name)
        ]
        kept = {one.column for one in number} | {one.column for one in category}
        if left_out := [name for name in train.columns if name not in kept]:
            _LOG.warning(
                "these columns are left out, because they have one value in all training rows, or "
                "texts that do not repeat: %s",
                ", ".join(f"{name}{_such_as(train[name])}" for name in left_out),
            )
        if not kept:
            raise DataError(
                "a table must have a column, beside the target, whose values differ and repeat: "
                f"got {', '.join(train.columns) or 'no other column'}"
            )
        return cls(tuple(number), tuple(category))

    @classmethod
    def of(cls, card: Mapping[str, Any]) -> Encoding:
        """Return the encoding that ``card`` describes."""
        return cls(
            tuple(NumberColumn(**one) for one in card["numerical"]),
            tuple(
                CategoryColumn(**{**one, "values": tuple(one["values"])})
                for one in card["categorical"]
            ),
        )

    def card(self) -> dict[str, Any]:
        """Return the encoding as JSON-ready data."""
        return {
            "numerical": [asdict(one) for one in self.numerical],
            "categorical": [{**asdict(one), "values": [*one.values]} for one in self.categorical],
        }

    @property
    def plain(self) -> int:
        """How many columns hold numbers: those of the table, and those that mark empty cells."""
        return len(self.numerical) + sum(one.missing for one in self.numerical)

    @property
    def sizes(self) -> tuple[int, ...]:
        """The sizes of the blocks of the categorical columns."""
        return tuple(one.size for one in self.categorical)

    def matrix(self, table: pd.DataFrame) -> NDArray[np.float64]:
        """Return the rows of a table as ``[rows, features]``.

        Raises:
            DataError: A column is missing, or one of numbers holds text.
        """
        require_columns(table, (one.column for one in self.numerical))
        require_columns(table, (one.column for one in self.categorical))
        cells = [numbers(table, one.column, _ADVICE) for one in self.numerical]
        pairs = [*zip(self.numerical, cells, strict=True)]
        filled = [np.where(np.isnan(found), one.median, found) for one, found in pairs]
        marks = [np.isnan(found).astype(float) for one, found in pairs if one.missing]
        blocks = [block for one in self.categorical for block in _block(one, table)]
        return np.stack([*filled, *marks, *blocks], axis=1)

    def norm(self, matrix: NDArray[Any]) -> Moments:
        """Return the normalisation of training rows; columns of 0 and 1 stay as they are."""
        count, width = len(self.numerical), matrix.shape[1]
        mean, std = np.zeros(width), np.ones(width)
        mean[:count] = matrix[:, :count].mean(0, np.float64)
        std[:count] = matrix[:, :count].std(0, np.float64)
        std[std == 0.0] = 1.0
        return Moments(tuple(mean.tolist()), tuple(std.tolist()), 1)


def guessed(table: pd.DataFrame) -> dict[str, Literal["texts", "few whole numbers"]]:
    """Return the columns that look categorical, and why.

    Raises:
        DataError: Most cells of a column are numbers, but not all.
    """
    found: dict[str, Literal["texts", "few whole numbers"]] = {}
    for name in table.columns:
        if _is_text(table, name):
            found[name] = "texts"
        elif _is_few(numbers(table, name, _ADVICE)):
            found[name] = "few whole numbers"
    return found


def _is_text(table: pd.DataFrame, column: str) -> bool:
    import pandas as pd  # noqa: PLC0415 - slow to load

    kind = table[column].dtype
    if pd.api.types.is_bool_dtype(kind) or isinstance(kind, pd.CategoricalDtype):
        return True
    if pd.api.types.is_numeric_dtype(kind):
        return False
    known = plain(table[column]).dropna()
    return bool(len(known)) and float(pd.to_numeric(known, errors="coerce").notna().mean()) <= 0.5


def _is_few(values: NDArray[np.float64]) -> bool:
    found = np.unique(values[~np.isnan(values)])
    return len(found) <= _FEW and len(values) > _FEW * len(found) and bool((found % 1 == 0).all())


def texts(cells: pd.Series) -> pd.Series:
    """Return the values of cells as texts, whole numbers without a point; empty cells stay."""
    known = cells.dropna()
    return known.map(_text).astype(object).reindex(cells.index)


def _text(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    # pandas reads 0.34 from a file as 0.33999999999999997; the same number must be one category.
    return str(int(value)) if value.is_integer() else f"{value:.15g}"


def _such_as(cells: pd.Series) -> str:
    """Return an example of a column's values, for messages."""
    known = cells.dropna()
    return f" (such as {shown(str(known.iloc[0]))})" if len(known) else " (empty)"


def _number(train: pd.DataFrame, column: str) -> NumberColumn | None:
    cells = numbers(train, column, _ADVICE)
    missing = np.isnan(cells)
    known = cells[~missing]
    if not len(known) or (not missing.any() and known.min() == known.max()):
        return None
    return NumberColumn(column, float(np.median(known)), bool(missing.any()))


def _category(train: pd.DataFrame, column: str) -> list[CategoryColumn]:
    """Return a categorical column; none if it says nothing."""
    found = texts(train[column])
    counts = found.value_counts()
    values = sorted(str(value) for value in counts[counts >= _ROWS].index[:_MOST])
    other = len(values) < len(counts)
    one = CategoryColumn(column, tuple(values), bool(found.isna().any()), other)
    return [one] if values and one.size > 1 else []


def _block(column: CategoryColumn, table: pd.DataFrame) -> list[NDArray[Any]]:
    """Return the columns of a block; an empty cell is another value if training had none."""
    cells = texts(table[column.column])
    marks: list[NDArray[Any]] = [(cells == value).to_numpy(np.float64) for value in column.values]
    if column.missing:
        marks.append(cells.isna().to_numpy(np.float64))
    if column.other:
        marks.append(1.0 - np.sum(marks, axis=0))
    return marks
