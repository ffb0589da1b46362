"""Folders with one folder for each class, with or without a division into parts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from raynas.errors import DataError

# What file managers, archives and editors put into folders, in lower case.
_JUNK: Final = frozenset(
    {
        "thumbs.db",
        "desktop.ini",
        "__macosx",
        "__pycache__",
        "@eadir",
        "lost+found",
        "$recycle.bin",
        "system volume information",
    }
)
_NAMES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "train": ("train", "training"),
        "valid": ("val", "valid", "validation"),
        "test": ("test", "testing"),
    }
)


def is_hidden(path: Path) -> bool:
    """Return whether a file or folder is hidden, or was left by a file manager or an archive."""
    return path.name.startswith(".") or path.name.lower() in _JUNK


def files_below(folder: Path) -> list[Path]:
    """Return the files below a folder, sorted, without hidden files and hidden folders."""
    found: list[Path] = []
    for path in sorted(folder.iterdir()):
        if not is_hidden(path):
            found += files_below(path) if path.is_dir() else [path]
    return found


def folders_in(folder: Path) -> list[Path]:
    """Return the folders in a folder, sorted, without hidden ones."""
    return sorted(path for path in folder.iterdir() if path.is_dir() and not is_hidden(path))


def parts_of(root: Path, needs: str) -> dict[str, Path]:
    """Return the folders that hold the classes, by part: at least ``train``.

    Args:
        root: The folder; it holds the class folders, or the folders ``train``, and perhaps
            ``val`` (or ``valid``) and ``test``, which hold them.
        needs: What a task needs, for the message.

    Raises:
        DataError: The folder has no known layout, or a part has other classes than ``train``.
    """
    folders = folders_in(root) if root.is_dir() else []
    parts = {
        part: [folder for folder in folders if folder.name.lower() in names]
        for part, names in _NAMES.items()
    }
    if parts["train"] and max(map(len, parts.values())) == 1 and folders_in(parts["train"][0]):
        return _of_equal_classes({part: found[0] for part, found in parts.items() if found})
    if len(folders) < 2 or any(parts.values()):
        found = ", ".join(folder.name for folder in folders)
        raise DataError(
            f"{needs}; or in its folder train/, and in val/ (or valid/) and test/ if you have "
            f"them: looked in {root.absolute()}, found {found or 'no folder'}"
        )
    return {"train": root}


def _of_equal_classes(parts: dict[str, Path]) -> dict[str, Path]:
    classes = [folder.name for folder in folders_in(parts["train"])]
    for folder in parts.values():
        if (found := [each.name for each in folders_in(folder)]) != classes:
            raise DataError(
                f"{folder.absolute()} must hold a folder for each class of train "
                f"({', '.join(classes)}): got {', '.join(found) or 'none'}"
            )
    return parts
