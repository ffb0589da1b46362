"""The user's own images, in one folder per class."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar, Final

import numpy as np

from raynas.data import Data, Split, extent
from raynas.errors import ConfigError, DataError
from raynas.tasks.class_folders import files_below, folders_in, is_hidden, parts_of
from raynas.tasks.pictures import Picture, Scale, load_picture
from raynas.tasks.task import Source

_NEEDS: Final = (
    "image_folder needs at least two class folders (CLASS/*.png, .jpg, …) in the folder of "
    "--data-dir"
)
_SHOWN: Final = 10  # the largest number of classes named in the summary
_LOG = logging.getLogger("raynas")


@dataclass(frozen=True, slots=True)
class ImageFolder:
    """Picture files in one folder per class, with or without a division into parts.

    The class folders are in the folder of ``--data-dir``, or in its folders ``train``, ``val``
    (or ``valid``) and ``test``. A missing part is taken from ``train``, with the same share of
    every class. Hidden files and folders are ignored. Every picture is converted to RGB and to
    ``size`` x ``size`` pixels; see ``raynas.tasks.pictures.read_picture``.

    Attributes:
        size: The side of the square, in pixels.
        valid: The fraction for validation, if there is no folder ``val``.
        test: The fraction for the winner's test, if there is no folder ``test``.
    """

    name: ClassVar[str] = "image_folder"
    recipe: ClassVar[Mapping[str, object]] = MappingProxyType({"crop": 4, "flip": True})

    size: int = 32
    valid: float = 0.2
    test: float = 0.2

    def __post_init__(self) -> None:
        """Check the size."""
        if self.size < 1:
            raise ConfigError(f"size must be at least 1 pixel: got {self.size}")

    def load(self, source: Source, seed: int) -> Data:
        """Return the images as [examples, 3, size, size].

        The images are bytes; if one has more than 8 bits, all are float32.

        Raises:
            DataError: A folder is missing or empty, has other classes than ``train``, or holds a
                file that is not a picture; or pictures have values on different scales.
        """
        parts = parts_of(source.data_dir, _NEEDS)
        classes = [folder.name for folder in folders_in(parts["train"])]
        files = {part: _files(folder) for part, folder in parts.items()}
        every = [file for labelled in files.values() for file in labelled]
        pictures = {file: load_picture(file, self.size) for file in every}
        _check_scales(pictures)
        read = {part: _split(labelled, pictures) for part, labelled in files.items()}
        valid, test = read.get("valid", self.valid), read.get("test", self.test)
        data = Data.split(read["train"], seed=seed, valid=valid, test=test, names=classes)
        _LOG.info(_found(source.data_dir, parts, data) + _notes(pictures, parts))
        return data


def _files(folder: Path) -> dict[Path, int]:
    """Return the picture files of a part, with their labels."""
    found: dict[Path, int] = {}
    for label, each in enumerate(folders_in(folder)):
        if not (files := files_below(each)):
            raise DataError(f"{each.absolute()} must hold at least one picture: got none")
        found |= dict.fromkeys(files, label)
    return found


def _check_scales(pictures: Mapping[Path, Picture]) -> None:
    """Refuse pictures whose values cannot be compared."""
    first: dict[Scale, Path] = {}
    for path, picture in pictures.items():
        first.setdefault(picture.scale, path)
    if len(first) > 1:
        said = " and ".join(f"{path} ({scale.value})" for scale, path in first.items())
        raise DataError(
            f"all pictures must have values on one scale, got {said}: convert them to one kind"
        )


def _split(labelled: Mapping[Path, int], pictures: Mapping[Path, Picture]) -> Split:
    common = np.result_type(*{picture.pixels.dtype for picture in pictures.values()})
    pixels = np.stack([pictures[file].pixels for file in labelled], dtype=common)
    return Split.of(pixels, list(labelled.values()))


def _found(root: Path, parts: Mapping[str, Path], data: Data) -> str:
    """Return one line that says what was found and how it is divided."""
    ours = [
        name for part, name in (("valid", "validation"), ("test", "test")) if part not in parts
    ]
    divided = f"; {' and '.join(ours)} examples were drawn by the seed" if ours else ""
    layout = (
        "class folders" if parts["train"] == root else ", ".join(p.name for p in parts.values())
    )
    least, most = extent(data.train.inputs)
    return (
        f"pictures in {root} ({layout}): {data.classes} classes ({_counts(data)}), "
        f"{len(data.train)} training, {len(data.valid)} validation, {len(data.test)} test "
        f"examples, values {min(least):g} to {max(most):g}{divided}"
    )


def _counts(data: Data) -> str:
    labels = [split.targets for split in (data.train, data.valid, data.test)]
    counts: Sequence[int] = np.bincount(np.concatenate(labels), minlength=data.classes).tolist()
    named = [f"{name} {count}" for name, count in zip(data.names, counts, strict=True)]
    return ", ".join(named[:_SHOWN]) + (", …" if len(named) > _SHOWN else "")


def _notes(pictures: Mapping[Path, Picture], parts: Mapping[str, Path]) -> str:
    """Return what of the folder is not in the data."""
    counts = Counter(note for picture in pictures.values() for note in picture.notes)
    here = (path for folder in parts.values() for path in folder.iterdir())
    if beside := sum(path.is_file() and not is_hidden(path) for path in here):
        counts["files beside the class folders, which are left out"] = beside
    return "".join(f"; {note}: {count}" for note, count in counts.items())
