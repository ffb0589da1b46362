"""Predict for files with an exported network."""

from __future__ import annotations

import csv
import io
import json
import logging
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from raynas.errors import ConfigError, DataError, RunError
from raynas.experiment.export.inputs import Batch, batches
from raynas.options import local_path
from raynas.storage import Location, location, store_of

if TYPE_CHECKING:
    from raynas.training.predictor import Predictor

_CARD: Final = "architecture.json"
_SHOWN: Final = 6  # digits
_COLUMNS: Final = 20  # numbers of an example in CSV
_LOG = logging.getLogger("raynas")


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a network predicts for one example.

    Attributes:
        file: Its file.
        row: Its place in the file, counted from 0; none if the file is one example.
        value: The name of the class, the next token, or a number.
        numbers: All numbers by name: probabilities of classes, or outputs.
    """

    file: str
    row: int | None
    value: str | float
    numbers: Mapping[str, float]


def predict(export: Location | str, files: Sequence[Path | str]) -> list[Prediction]:
    """Return a prediction for each example in the files, from an export folder alone.

    Args:
        export: The folder that ``raynas export`` wrote, or its address.
        files: Pictures, tables, texts, or arrays (``.npy``), whichever the network takes.

    Raises:
        ConfigError: The folder is no export, or the network does not read files of this kind.
        DataError: The folder or a file is damaged.
    """
    if not files:
        raise ConfigError("at least one file must be given")
    predictor = _loaded(location("the export", export))
    found: list[Prediction] = []
    for batch in batches([local_path("a file", one) for one in files], predictor.card):
        found += _predictions(predictor, batch)
    return found


def as_csv(found: Sequence[Prediction]) -> str:
    """Return predictions as CSV.

    The numbers are columns, unless there is one, which is the prediction itself, or there are very
    many, such as probabilities of a hundred classes.
    """
    rows = any(one.row is not None for one in found)
    names = [*found[0].numbers] if 1 < len(found[0].numbers) <= _COLUMNS else []
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["file", *(["row"] if rows else []), "prediction", *names])
    for one in found:
        place = [one.row] if rows else []
        numbers = [_rounded(one.numbers[name]) for name in names]
        writer.writerow([one.file, *place, _rounded(one.value), *numbers])
    return text.getvalue()


def as_json(found: Sequence[Prediction]) -> str:
    """Return predictions as a JSON list."""
    records = [
        {
            "file": one.file,
            **({} if one.row is None else {"row": one.row}),
            "prediction": _rounded(one.value),
            "numbers": {name: _rounded(value) for name, value in one.numbers.items()},
        }
        for one in found
    ]
    return json.dumps(records, indent=2, ensure_ascii=False)


def _loaded(folder: Location) -> Predictor:
    from raynas.training.predictor import load_winner  # noqa: PLC0415 - loads torch

    places = (folder, folder / "winner")
    if not any(_CARD in store_of(one).names() for one in places):
        raise ConfigError(
            f"{folder} must be a folder that raynas export wrote: it holds no {_CARD}"
        )
    try:
        return load_winner(folder)
    except RunError as error:
        raise DataError(str(error)) from error


def _predictions(predictor: Predictor, batch: Batch) -> Iterator[Prediction]:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            outputs = np.asarray(predictor(batch.inputs).numpy(), np.float64)
        except DataError as error:
            raise DataError(f"{batch.file}: {error}") from error
    for one in told:
        _LOG.warning("%s: %s", batch.file, one.message)
    for at, row in enumerate(outputs):
        value, numbers = _answer(row, predictor.card)
        yield Prediction(str(batch.file), at if batch.rows else None, value, numbers)


def _answer(
    row: NDArray[np.float64], card: Mapping[str, Any]
) -> tuple[str | float, dict[str, float]]:
    """Return the prediction of one example, and its numbers by name."""
    goal = card.get("goal")
    if goal == "NextToken":
        return _named(row[-1], _tokens(card))
    if card.get("classes") and row.ndim == 1:
        names = card.get("class_names") or [str(at) for at in range(len(row))]
        return _named(row, names)
    flat = row.ravel()
    if goal == "MultiLabel":
        flat = 1.0 / (1.0 + np.exp(-flat))
    names = card.get("class_names") or [str(at) for at in range(len(flat))]
    numbers = {str(name): float(value) for name, value in zip(names, flat, strict=False)}
    if goal == "MultiLabel":
        return " ".join(name for name, value in numbers.items() if value >= 0.5), numbers
    return next(iter(numbers.values())), numbers


def _named(logits: NDArray[np.float64], names: Sequence[str]) -> tuple[str, dict[str, float]]:
    shares = np.exp(logits - logits.max())
    shares /= shares.sum()
    numbers = dict(zip(names, shares.tolist(), strict=False))
    return names[int(logits.argmax())], numbers


def _tokens(card: Mapping[str, Any]) -> list[str]:
    """Return the texts of tokens, by number; of a tokenizer's, their numbers."""
    encoding = card["encoding"]
    known = encoding.get("characters") or encoding.get("words")
    count = int(card["brief"]["vocabulary"])
    return ["unknown", *known] if known else [str(at) for at in range(count)]


def _rounded(value: str | float) -> str | float | None:
    if isinstance(value, str):
        return value
    return float(f"{value:.{_SHOWN}g}") if math.isfinite(value) else None
