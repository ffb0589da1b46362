"""The user's own images, in one folder per class."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar, Final

import numpy as np

from raynas.data import Data, Split
from raynas.errors import ConfigError, DataError
from raynas.tasks.pictures import picture_files, read_picture
from raynas.tasks.task import Source

_VALID: Final = ("val", "valid", "validation")
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
        """Return the images as [examples, 3, size, size] bytes.

        Raises:
            DataError: A folder is missing or empty, has other classes than ``train``, or holds a
                file that is not a picture.
        """
        parts = _parts(source.data_dir)
        classes = [folder.name for folder in _folders(parts["train"])]
        for folder in parts.values():
            if (found := [each.name for each in _folders(folder)]) != classes:
                raise DataError(
                    f"{folder.absolute()} must hold a folder for each class of train "
                    f"({', '.join(classes)}): got {', '.join(found) or 'none'}"
                )
        read = {part: self._read(folder) for part, folder in parts.items()}
        known = read["train"]
        valid, test = read.get("valid", self.valid), read.get("test", self.test)
        data = Data.split(known, seed=seed, valid=valid, test=test, names=classes)
        _LOG.info(_found(source.data_dir, parts, data))
        return data

    def _read(self, folder: Path) -> Split:
        pixels, labels = [], []
        for label, each in enumerate(_folders(folder)):
            if not (files := picture_files(each)):
                raise DataError(f"{each.absolute()} must hold at least one picture: got none")
            pixels += [read_picture(file, self.size) for file in files]
            labels += [label] * len(files)
        return Split.of(np.stack(pixels), labels)


def _folders(folder: Path) -> list[Path]:
    """Return the folders in a folder, sorted, without hidden ones."""
    found = (path for path in folder.iterdir() if path.is_dir())
    return sorted(path for path in found if not path.name.startswith("."))


def _parts(root: Path) -> dict[str, Path]:
    """Return the folders that hold the classes, by part: at least ``train``.

    Raises:
        DataError: The folder has no known layout.
    """
    folders = {path.name: path for path in _folders(root)} if root.is_dir() else {}
    valid = [name for name in _VALID if name in folders]
    if "train" in folders and len(valid) < 2 and _folders(folders["train"]):
        named = {"train": "train", "test": "test", **({"valid": valid[0]} if valid else {})}
        return {part: folders[name] for part, name in named.items() if name in folders}
    divided = {"train", "test", *_VALID} & folders.keys()
    if len(folders) < 2 or divided:
        raise DataError(
            "image_folder needs at least two class folders (CLASS/*.png, .jpg, …) in the folder "
            "of --data-dir; or in its folder train/, and in val/ (or valid/) and test/ if you "
            f"have them: looked in {root.absolute()}, found {', '.join(folders) or 'no folder'}"
        )
    return {"train": root}


def _found(root: Path, parts: Mapping[str, Path], data: Data) -> str:
    """Return one line that says what was found and how it is divided."""
    ours = [
        name for part, name in (("valid", "validation"), ("test", "test")) if part not in parts
    ]
    divided = f"; {' and '.join(ours)} examples were drawn by the seed" if ours else ""
    layout = (
        "class folders" if parts["train"] == root else ", ".join(p.name for p in parts.values())
    )
    return (
        f"pictures in {root} ({layout}): {data.classes} classes ({_counts(data)}), "
        f"{len(data.train)} training, {len(data.valid)} validation, {len(data.test)} test "
        f"examples{divided}"
    )


def _counts(data: Data) -> str:
    labels = [split.labels for split in (data.train, data.valid, data.test)]
    counts: Sequence[int] = np.bincount(np.concatenate(labels), minlength=data.classes).tolist()
    named = [f"{name} {count}" for name, count in zip(data.names, counts, strict=True)]
    return ", ".join(named[:_SHOWN]) + (", …" if len(named) > _SHOWN else "")
