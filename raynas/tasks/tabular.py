"""Tables: one example per row, numbers and categories in columns, one column to predict."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

import numpy as np
from numpy.typing import NDArray

from raynas.data import Data, Split
from raynas.errors import ConfigError, DataError, unknown
from raynas.goals import Classification, Goal, Regression, macro_f1, roc_auc
from raynas.tasks.columns import Encoding, guessed, texts
from raynas.tasks.reading import located, numbers, read_table, require_columns
from raynas.tasks.rows import divided, labelled
from raynas.tasks.task import Source

if TYPE_CHECKING:
    import pandas as pd

_CLASSES: Final = 20  # a target of at most so many different whole numbers is a class
_SMALL: Final = 1000  # rows of training and validation data
_TARGET: Final = "target"  # the name of the target in the embedded tables
_EMBEDDED: Final = ("breast_cancer", "california_housing", "diabetes", "wine")
_LOG = logging.getLogger("raynas")


@dataclass(frozen=True, slots=True)
class Tabular:
    """A table of your own, or one that comes with scikit-learn.

    Networks get one row of numbers per example: the columns of numbers, with the training median
    where a cell is empty; a column for each of them with empty cells, which is 1 where a cell is
    empty; and a block of columns with 0 and 1 for each categorical column. Rare categories share
    a column, and an empty cell is a category. All statistics come from the training rows.

    ``build`` may ask for ``numerical``, the number of columns before the blocks, and
    ``categories``, the sizes of the blocks. For classes, ``roc_auc`` and ``macro_f1`` are
    reported, too.

    Attributes:
        file: A file ``.csv``, ``.tsv``, ``.parquet`` or ``.jsonl``; text files may end in ``.gz``.
            It is looked for as given, then in ``--data-dir``. None for an embedded table.
        target: The column to predict; rows without a value in it are left out.
        kind: ``classification``, ``regression``, or ``auto``: classes if the target holds texts,
            or at most 20 different whole numbers.
        categorical: The categorical columns; none to guess them: columns of texts, and of at most
            8 different whole numbers.
        embedded: The embedded table: ``breast_cancer`` (569 rows, 2 classes), ``wine`` (178 rows,
            3 classes), ``diabetes`` (442 rows, a number) or ``california_housing`` (20,640 rows,
            a number; ``--download`` fetches it once).
        valid: The fraction of all rows for validation.
        test: The fraction of all rows for the winner's test.
    """

    name: ClassVar[str] = "tabular"
    space: ClassVar[str] = "tabular"
    recipe: ClassVar[Mapping[str, object]] = MappingProxyType(
        {
            "optimizer": "adamw",
            "lr": 2e-3,
            "batch_size": 32,
            "grad_clip": 1.0,
            "ema": 0.98,
            "patience": 8,  # small tables are soon known by heart
        }
    )

    file: Path | None = None
    target: str | None = None
    kind: Literal["auto", "classification", "regression"] = "auto"
    categorical: tuple[str, ...] | None = None
    embedded: str = "breast_cancer"
    valid: float = 0.2
    test: float = 0.2

    def __post_init__(self) -> None:
        """Check that a file has a target, and that the embedded table is known."""
        if (self.file is None) != (self.target is None):
            raise ConfigError(
                "a table of your own needs two options, file and target (the column to predict): "
                f"got file={self.file} and target={self.target}"
            )
        if self.embedded not in _EMBEDDED:
            raise ConfigError(unknown("embedded table", self.embedded, _EMBEDDED))

    def load(self, source: Source, seed: int) -> Data:
        """Return the rows as [rows, features] float32.

        Raises:
            DataError: The file or a column is missing, a column of numbers holds text, the target
                has one class only, or a part would be empty.
        """
        table = self._table(source)
        target = self.target or _TARGET
        require_columns(table, (target,))
        features = table.drop(columns=target)
        require_columns(features, self.categorical or ())
        goal, targets, answered = self._goal(table, target)
        features = features[answered]
        categorical = self._categorical(features)
        rows = divided(targets, goal, seed, self.valid, self.test)
        encoding = Encoding.fitted(features.iloc[rows[0]], categorical)
        train, valid, test = (
            Split.of(encoding.matrix(features.iloc[some]), targets[some]) for some in rows
        )
        return Data(
            train,
            valid,
            test,
            goal=goal,
            brief={"numerical": encoding.plain, "categories": encoding.sizes},
            norm=encoding.norm(train.inputs),
            encoding=encoding.card(),
        )

    def suited(self, data: Data) -> Mapping[str, object]:
        """Return settings: a small table is used in whole for each score, and nothing is stopped.

        An epoch of a small table has so few steps that the first ones say nothing.
        """
        small = len(data.train) + len(data.valid) <= _SMALL
        return {"epochs": 30, **({"scheduler": "none", "folds": 5} if small else {})}

    def _table(self, source: Source) -> pd.DataFrame:
        if self.file is None:
            return _embedded(self.embedded, source)
        return read_table(located(self.file, source))

    def _goal(
        self, table: pd.DataFrame, target: str
    ) -> tuple[Goal, NDArray[Any], NDArray[np.bool_]]:
        """Return the goal, the targets, and which rows have one."""
        answered = table[target].notna().to_numpy()
        if not answered.all():
            _LOG.warning(
                "%d of %d rows have no value of %r and are left out",
                np.count_nonzero(~answered),
                len(answered),
                target,
            )
        if not answered.any():
            raise DataError(f"a row must have a value of {target!r}: none has one")
        known = table[answered]
        if self.kind == "regression" or (self.kind == "auto" and not _are_classes(known, target)):
            self._say_goal(f"regression of {target!r}")
            return Regression(), numbers(known, target).astype(np.float32), answered
        values = texts(known[target]).tolist()
        names = sorted({*values}, key=_order)
        self._say_goal(f"classification of {target!r}, {len(names)} classes")
        extra = {"roc_auc": roc_auc, "macro_f1": macro_f1}
        return Classification(names=tuple(names), extra=extra), labelled(values, names), answered

    def _say_goal(self, goal: str) -> None:
        if self.kind == "auto" and self.file is not None:
            _LOG.info("the goal is %s; the option 'kind' sets another", goal)

    def _categorical(self, features: pd.DataFrame) -> Collection[str]:
        if self.categorical is not None:
            return self.categorical
        found = guessed(features)
        if found:
            said = ", ".join(f"{name} ({why})" for name, why in found.items())
            _LOG.info(
                "categorical columns, as guessed: %s; the option 'categorical' names others",
                said,
            )
        return found


def encode(rows: Any, card: Mapping[str, Any]) -> NDArray[np.float32]:
    """Return new rows as a network of this task takes them.

    For example ``winner.predict(encode(frame, winner.card))`` with ``winner`` of
    ``raynas.load_winner``.

    Args:
        rows: A ``pandas.DataFrame``, or what makes one, with the columns of the training table;
            the target and other columns are ignored. Unknown categories count as rare ones.
        card: The winner's card, the contents of ``architecture.json``.

    Returns:
        ``[rows, features]``.

    Raises:
        DataError: The card is of another task, a column is missing, or one of numbers holds text.
    """
    import pandas as pd  # noqa: PLC0415 - slow to load

    described = card.get("encoding", {})
    if "numerical" not in described:
        raise DataError("the card must be that of a winner of the task 'tabular'")
    return (
        Encoding.of(described).matrix(pd.DataFrame(rows).reset_index(drop=True)).astype(np.float32)
    )


def _are_classes(table: pd.DataFrame, target: str) -> bool:
    if target in guessed(table[[target]]):
        return True
    found = np.unique(numbers(table, target))
    return len(found) <= _CLASSES and bool((found % 1 == 0).all())


def _order(name: str) -> tuple[bool, float, str]:
    """Return the key by which names are sorted: numbers by value, then texts."""
    try:
        return False, float(name), name
    except ValueError:
        return True, 0.0, name


def _embedded(name: str, source: Source) -> pd.DataFrame:
    """Return a table of scikit-learn; its column ``target`` holds names of classes, or numbers."""
    from sklearn import datasets  # noqa: PLC0415 - slow to load

    if name == "california_housing":
        return _california(source)
    found = getattr(datasets, f"load_{name}")(as_frame=True)
    table: pd.DataFrame = found.frame
    names = getattr(found, "target_names", None)
    return table if names is None else table.assign(target=[str(names[at]) for at in found.target])


def _california(source: Source) -> pd.DataFrame:
    from sklearn.datasets import fetch_california_housing  # noqa: PLC0415 - slow to load

    try:
        found = fetch_california_housing(
            data_home=source.data_dir, download_if_missing=source.download, as_frame=True
        )
    except OSError as error:
        raise DataError(
            f"california_housing is missing in {source.data_dir.absolute()}: download it with "
            f"--download, or copy it there ({error})"
        ) from error
    table: pd.DataFrame = found.frame.rename(columns={"MedHouseVal": _TARGET})
    return table
