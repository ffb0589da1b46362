"""Options and arguments of the command line that are paths; they are checked when read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from raynas.options import local_path


def path_of(name: str, **how: Any) -> dict[str, Any]:
    """Return the keyword arguments of ``typer.Option`` or ``typer.Argument`` for a path.

    Args:
        name: The name of the path in messages, such as ``"--output"``.
        how: Other keyword arguments, such as ``help``.
    """
    return {"parser": _reader(name), **how}


def _reader(name: str) -> Callable[[str], Path]:
    def read(text: str) -> Path:
        return local_path(name, text)

    return read
