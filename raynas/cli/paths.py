"""Options and arguments of the command line that are paths; they are checked when read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from raynas.options import local_path
from raynas.storage import Location, bucket_or_location, location


def path_of(name: str, **how: Any) -> dict[str, Any]:
    """Return the keyword arguments of ``typer.Option`` or ``typer.Argument`` for a path.

    Args:
        name: The name of the path in messages, such as ``"--output"``.
        how: Other keyword arguments, such as ``help``.
    """
    return {"parser": _reader(name), **how}


def run_folder_of(name: str, **how: Any) -> dict[str, Any]:
    """Return what ``path_of`` returns, for the folder of a run: it may be an address, too."""

    def read(text: str) -> Location:
        return location(name, text)

    return {"parser": read, **how}


def folder_of_runs(name: str, **how: Any) -> dict[str, Any]:
    """Return what ``run_folder_of`` returns, for a folder of runs: it may be a whole bucket."""

    def read(text: str) -> Location:
        return bucket_or_location(name, text)

    return {"parser": read, **how}


def _reader(name: str) -> Callable[[str], Path]:
    def read(text: str) -> Path:
        return local_path(name, text)

    return read
