"""Paths on the command line, checked as they are read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from raynas.options import local_path


def path_of(name: str, **how: Any) -> dict[str, Any]:
    """Return what typer is told of a path.

    Args:
        name: Its name in messages, such as ``"--output"``.
        how: What else typer is told, such as ``help``.
    """
    return {"parser": _reader(name), **how}


def _reader(name: str) -> Callable[[str], Path]:
    def read(text: str) -> Path:
        return local_path(name, text)

    return read
