"""Files as inputs of an exported network, by what its card says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from raynas.errors import ConfigError, DataError
from raynas.tasks import language_model, series, tabular, text
from raynas.tasks.pictures import read_picture
from raynas.tasks.reading import read_table, read_text

PICTURES: Final = (
    ".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"
)  # fmt: skip
TABLES: Final = (".csv", ".tsv", ".data", ".parquet", ".pq", ".jsonl", ".ndjson")
TEXTS: Final = (".txt", ".md")
ARRAYS: Final = (".npy",)
_GREY: Final = (0.299, 0.587, 0.114)  # of red, green and blue: ITU-R BT.601
_COLUMN: Final = "text"  # of a table of texts
_IMAGES: Final = "batch, channels, height, width"

Read = Callable[[Path], NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Batch:
    """The examples of one file.

    Attributes:
        file: The file.
        inputs: ``[examples, ...]``, in the units of the data.
        rows: Whether it holds several examples.
    """

    file: Path
    inputs: NDArray[Any]
    rows: bool


def batches(files: Sequence[Path], card: Mapping[str, Any]) -> Iterator[Batch]:
    """Yield the examples of each file.

    Args:
        files: Pictures, tables, texts, or arrays of examples (``.npy``).
        card: The contents of ``architecture.json``.

    Raises:
        ConfigError: The network does not read files of this kind.
        DataError: A file is missing or damaged.
    """
    readers = _readers(card)
    for file in files:
        kind = (file.with_suffix("") if file.suffix == ".gz" else file).suffix.lower()
        if kind not in readers:
            raise ConfigError(
                f"this network reads {', '.join(readers)} files, got {file}; arrays of its inputs "
                "can be given as .npy files"
            )
        if not file.is_file():
            raise DataError(f"the file {file} must be there")
        found = readers[kind](file)
        yield Batch(file, found, kind in (*TABLES, *ARRAYS) and "horizon" not in _encoding(card))


def _encoding(card: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = card.get("encoding") or {}
    return found


def _readers(card: Mapping[str, Any]) -> dict[str, Read]:
    """Return how files are read, by the ends of their names."""
    encoding, inputs = _encoding(card), card.get("input") or {}
    arrays: dict[str, Read] = dict.fromkeys(ARRAYS, _array)
    if "numerical" in encoding:
        rows: Read = lambda file: tabular.encode(read_table(file), card)  # noqa: E731
        return {**dict.fromkeys(TABLES, rows), **arrays}
    if "horizon" in encoding:
        steps: Read = lambda file: series.encode(read_table(file), card)  # noqa: E731
        return {**dict.fromkeys(TABLES, steps), **arrays}
    if "tokens" in encoding and "length" in encoding:
        one: Read = lambda file: text.encode([read_text(file)], card)  # noqa: E731
        many: Read = partial(_texts, card)
        return {**dict.fromkeys(TEXTS, one), **dict.fromkeys(TABLES, many), **arrays}
    if "tokens" in encoding:
        return {**dict.fromkeys(TEXTS, partial(_last, card)), **arrays}
    if inputs.get("layout") == _IMAGES:
        return {**dict.fromkeys(PICTURES, partial(_picture, card)), **arrays}
    return arrays


def _array(file: Path) -> NDArray[Any]:
    try:
        found: NDArray[Any] = np.load(file, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise DataError(f"{file} cannot be read as an array: {error}") from error
    return found


def _texts(card: Mapping[str, Any], file: Path) -> NDArray[Any]:
    table = read_table(file)
    if _COLUMN not in table.columns:
        raise DataError(
            f"a table of texts must have a column {_COLUMN!r}: {file} has "
            f"{', '.join(map(str, table.columns))}"
        )
    return text.encode(table[_COLUMN].fillna("").map(str), card)


def _last(card: Mapping[str, Any], file: Path) -> NDArray[Any]:
    """Return the last tokens of a text, as many as the network reads."""
    (length,) = card["input"]["shape"]
    ids = language_model.encode(read_text(file), card)
    if len(ids) < length:
        raise DataError(f"{file} must have {length} tokens or more: got {len(ids)}")
    return ids[np.newaxis, -length:]


def _picture(card: Mapping[str, Any], file: Path) -> NDArray[Any]:
    """Return a picture as the task ``image_folder`` reads it, in the units of the data."""
    channels, height, width = card["input"]["shape"]
    if height != width or channels not in (1, 3):
        raise ConfigError(
            f"picture files become squares of 1 or 3 channels, and this network takes "
            f"{channels} x {height} x {width}: give arrays (.npy)"
        )
    pixels = read_picture(file, height).astype(np.float32)
    if channels == 1:
        pixels = np.tensordot(np.array(_GREY, np.float32), pixels, 1)[np.newaxis]
    scale = float(card.get("levels", 255.0)) / 255.0
    return (pixels * scale)[np.newaxis].astype(np.float32)
