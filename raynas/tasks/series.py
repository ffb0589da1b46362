"""Series: the next values of a column, from its past and that of other columns."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from raynas.data import Data, Moments, Split
from raynas.errors import ConfigError, DataError, unknown
from raynas.goals import Regression
from raynas.goals.metric import Mean
from raynas.tasks.ordering import in_order
from raynas.tasks.reading import filled, located, read_table, require_columns
from raynas.tasks.rows import check_pieces, pieces
from raynas.tasks.task import Source

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor

_SEASONS: Final[Mapping[str, int]] = MappingProxyType({"co2": 52, "elnino": 12, "sunspots": 11})
_SMALL: Final = 2000  # windows of training and validation data
_VALUE: Final = "value"  # the column of the embedded series
_LOG = logging.getLogger("raynas")


@dataclass(frozen=True, slots=True)
class Series:
    """A series of your own, or one that comes with statsmodels, of which the future is predicted.

    Networks get windows of the last ``length`` steps, ``[length, features]``: first the target
    column, then the other columns of numbers. They predict the next ``horizon`` values of the
    target. Training, validation and test data are pieces of the series, in this order. What is
    predicted of a window lies in one piece; its past may lie in the pieces before. Empty cells are
    filled on a straight line between their neighbours.

    ``mase`` is reported, too: the mean absolute error, divided by the mean absolute error on the
    training piece of a forecast that repeats the value of one season before (``season`` steps).

    Attributes:
        file: A table ``.csv``, ``.tsv``, ``.parquet`` or ``.jsonl``; text files may end in
            ``.gz``. It is looked for as given, then in ``--data-dir``. None for an embedded
            series.
        target: The column to predict.
        time: A column of dates or numbers by which the rows are sorted; none for the order of the
            file. Networks do not get it.
        length: How many steps a network sees.
        horizon: How many steps it predicts.
        season: The steps of a season, for ``mase``; 1 for the last value. None for that of the
            embedded series, and for 1 with a file.
        embedded: The embedded series (``pip install 'raynas[series]'``): ``sunspots`` (309 years),
            ``co2`` (2,284 weeks on Mauna Loa) or ``elnino`` (732 months of sea temperature).
        valid: The fraction of the series for validation.
        test: The fraction of the series for the winner's test.
    """

    name: ClassVar[str] = "series"
    space: ClassVar[str] = "series"
    recipe: ClassVar[Mapping[str, object]] = MappingProxyType(
        {
            "optimizer": "adamw",
            "lr": 5e-3,
            "batch_size": 32,
            "grad_clip": 1.0,
            "ema": 0.98,
            "patience": 8,  # short series are soon known by heart
        }
    )

    file: Path | None = None
    target: str | None = None
    time: str | None = None
    length: int = 24
    horizon: int = 6
    season: int | None = None
    embedded: str = "sunspots"
    valid: float = 0.2
    test: float = 0.2

    def __post_init__(self) -> None:
        """Check the options."""
        if (self.file is None) != (self.target is None):
            raise ConfigError(
                "a series of your own needs two options, file and target (the column to predict): "
                f"got file={self.file} and target={self.target}"
            )
        if self.target and self.target == self.time:
            raise ConfigError(f"target and time must be two columns: got {self.target!r} for both")
        if self.embedded not in _SEASONS:
            raise ConfigError(unknown("embedded series", self.embedded, _SEASONS))
        if min(self.length, self.horizon, self.periods) < 1:
            raise ConfigError(
                "length, horizon and season must be at least 1: got "
                f"{self.length}, {self.horizon} and {self.periods}"
            )
        check_pieces(self.valid, self.test)

    @property
    def periods(self) -> int:
        """The steps of a season, whether it was given or not."""
        own = 1 if self.file else _SEASONS[self.embedded]
        return own if self.season is None else self.season

    def load(self, source: Source, seed: int) -> Data:  # noqa: ARG002 - the parts have an order
        """Return windows [windows, length, features] and the values that follow.

        Raises:
            DataError: The file or a column is missing, a column holds text, or a piece is shorter
                than ``length + horizon``.
            ConfigError: The embedded series are not installed.
        """
        table = _embedded(self.embedded) if self.file is None else self._read(source)
        target = self.target or _VALUE
        columns = [target, *(name for name in table.columns if name != target)]
        values = np.stack([filled(table, name) for name in columns], axis=1)
        parts = pieces(values, self.valid, self.test)
        train, valid, test = (
            self._windows(name, piece) for name, piece in self._with_past(values, parts)
        )
        error = Mean(ScaledError(self._scale(parts["training"][:, 0])))
        norm = _moments(parts["training"])
        # Past and future have the same units, so that a network can add the last value.
        mean, std = ((of[0],) * self.horizon for of in (norm.mean, norm.std))
        return Data(
            train,
            valid,
            test,
            goal=Regression(extra={"mase": error}, mean=mean, std=std),
            norm=norm,
            brief={"length": self.length, "horizon": self.horizon},
            exchangeable=False,
            encoding={
                "columns": columns,
                "length": self.length,
                "horizon": self.horizon,
            },
        )

    def suited(self, data: Data) -> Mapping[str, object]:
        """Return settings: with a short series, nothing is stopped.

        An epoch of a short series has so few steps that the first ones say nothing.
        """
        small = len(data.train) + len(data.valid) <= _SMALL
        return {"epochs": 30, **({"scheduler": "none"} if small else {})}

    def _read(self, source: Source) -> pd.DataFrame:
        """Return the columns of numbers of the file, sorted by time."""
        table = read_table(located(self.file or Path(), source))
        require_columns(table, [name for name in (self.target, self.time) if name])
        if self.time:
            table = in_order(table, self.time)
        others = [
            name for name in table.columns if name != self.target and not _has_numbers(table[name])
        ]
        if others:
            _LOG.warning("these columns hold no numbers and are left out: %s", ", ".join(others))
        return table.drop(columns=others)

    def _with_past(
        self, values: NDArray[np.float64], parts: Mapping[str, NDArray[np.float64]]
    ) -> Iterator[tuple[str, NDArray[np.float64]]]:
        """Yield the pieces, each but the first with the ``length`` steps before it."""
        end = 0
        for name, piece in parts.items():
            start, end = end, end + len(piece)
            yield name, values[max(0, start - self.length) : end]

    def _windows(self, piece: str, values: NDArray[np.float64]) -> Split:
        whole = self.length + self.horizon
        if len(values) < whole:
            raise DataError(
                f"each piece of the series, with the {self.length} steps before it, must have "
                f"length + horizon = {whole} steps or more: the {piece} piece has {len(values)}; "
                "give a longer series, or smaller numbers"
            )
        windows = np.lib.stride_tricks.sliding_window_view(values, whole, axis=0)
        past = windows[:, :, : self.length].transpose(0, 2, 1).copy()
        future = windows[:, 0, self.length :]
        return Split.of(past, future, images=False)

    def _scale(self, values: NDArray[np.float64]) -> float:
        """Return the error of the seasonal forecast on the training piece."""
        if len(values) <= self.periods:
            raise DataError(
                f"the training piece must be longer than a season of {self.periods} steps: it has "
                f"{len(values)}"
            )
        error = float(np.abs(values[self.periods :] - values[: -self.periods]).mean())
        before = (
            "the value before" if self.periods == 1 else f"the value {self.periods} steps before"
        )
        _LOG.info("mase is the error in units of %g, that of repeating %s", error, before)
        if error == 0.0:
            raise DataError(
                f"the target must change: in the training piece it always repeats {before}"
            )
        return error


@dataclass(frozen=True, slots=True)
class ScaledError:
    """The absolute error in units of another forecast's (Hyndman and Koehler, 2006, section 3).

    Attributes:
        scale: The mean absolute error of the other forecast.
    """

    scale: float

    def __call__(self, predictions: Tensor, targets: Tensor) -> Tensor:
        """Return the mean over the outputs, ``[batch]``."""
        return (predictions - targets).abs().mean(1) / self.scale


def encode(values: Any, card: Mapping[str, Any]) -> NDArray[np.float32]:
    """Return the last steps of a series as a network of this task takes them.

    For example ``winner(encode(frame, winner.card))`` with ``winner`` of ``raynas.load_winner``
    predicts the next steps.

    Args:
        values: A ``pandas.DataFrame``, or what makes one, with the columns of the training table
            and ``length`` rows or more, of which the last ones are taken.
        card: The winner's card, the contents of ``architecture.json``.

    Returns:
        ``[1, length, features]``.

    Raises:
        DataError: The card is of another task, a column is missing or holds text, or there are too
            few rows.
    """
    import pandas as pd  # noqa: PLC0415 - slow to load

    described = card.get("encoding", {})
    if "horizon" not in described:
        raise DataError("the card must be that of a winner of the task 'series'")
    table, length = pd.DataFrame(values).reset_index(drop=True), described["length"]
    require_columns(table, described["columns"])
    if len(table) < length:
        raise DataError(f"there must be {length} rows or more: got {len(table)}")
    columns = [filled(table, name) for name in described["columns"]]
    window = np.stack(columns, axis=1)[-length:]
    return window[np.newaxis].astype(np.float32)


def _moments(values: NDArray[np.float64]) -> Moments:
    """Return the normalisation of the columns of the training piece."""
    std = values.std(0)
    std[std == 0.0] = 1.0
    return Moments(tuple(values.mean(0).tolist()), tuple(std.tolist()), 2)


def _has_numbers(cells: pd.Series) -> bool:
    import pandas as pd  # noqa: PLC0415 - slow to load

    if cells.dtype.kind in "Mm":  # dates and durations
        return False
    return bool(pd.to_numeric(cells, errors="coerce").notna().any())


def _embedded(name: str) -> pd.DataFrame:
    """Return an embedded series, read from the folder of statsmodels, which is slow to import."""
    import pandas as pd  # noqa: PLC0415 - slow to load

    found = find_spec("statsmodels")
    if found is None or found.submodule_search_locations is None:
        raise ConfigError(
            f"the series {name!r} comes with the package statsmodels, which is not installed: "
            "pip install 'raynas[series]', or give a file of your own"
        )
    folder = Path(found.submodule_search_locations[0]) / "datasets" / name
    table = pd.read_csv(folder / f"{name}.csv")
    if name == "elnino":  # one row per year, one column per month
        return pd.DataFrame({_VALUE: table.iloc[:, 1:].to_numpy(float).ravel()})
    return pd.DataFrame({_VALUE: table.iloc[:, 1]})
