"""The folder that travels with a job: what of it, and whether it is small enough."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ray._private.runtime_env import packaging

from raynas.errors import ConfigError

_NEVER: Final = (".git", ".venv", "__pycache__")
_JOURNAL: Final = "journal.jsonl"
_LIMIT: Final = packaging.GCS_STORAGE_MAX_SIZE
_SHOWN: Final = 3  # files in the message
_MEGA: Final = 1e6


def excluded(folder: Path) -> list[str]:
    """Return what of a folder does not travel, as lines of a ``.gitignore``.

    Run folders stay here. They would replace those of the cluster, which may have gone on.
    """
    runs = []
    for path, below, files in os.walk(folder):
        below[:] = [name for name in below if name not in _NEVER]
        if _JOURNAL in files:
            runs.append(f"/{Path(path).relative_to(folder).as_posix()}")
            below.clear()
    return [*_NEVER, *runs]


def check_size(folder: Path, without: Sequence[str]) -> None:
    """Check that what travels of a folder is below the limit of Ray.

    Args:
        folder: The folder.
        without: What does not travel, as from ``excluded``.

    Raises:
        ConfigError: It is not.
    """
    sizes = _sizes(folder, without)
    whole = sum(sizes.values())
    if whole >= _LIMIT:
        large = [path for path, size in sizes.items() if size >= _MEGA]
        largest = sorted(large, key=lambda path: -sizes[path])[:_SHOWN]
        said = ", ".join(f"{path.relative_to(folder)} ({_size(sizes[path])})" for path in largest)
        raise ConfigError(
            f"the folder that travels with a job must be smaller than {_size(_LIMIT)}, and "
            f"{folder} has {_size(whole)}: name what need not travel in .rayignore, put data "
            "where the cluster's machines can read them and give --data-dir, or give another "
            f"--working-dir; the largest files are {said}"
        )


def _sizes(folder: Path, without: Sequence[str]) -> dict[Path, int]:
    """Return the size of every file that Ray would pack, in bytes."""
    sizes: dict[Path, int] = {}

    def note(path: Path) -> None:
        if path.is_file():
            sizes[path] = path.stat().st_size

    stays = packaging._get_excludes(folder, [*without])  # noqa: SLF001 - as Ray itself will pack
    packaging._dir_travel(folder, [stays], note, include_gitignore=True)  # noqa: SLF001
    return sizes


def _size(size: int) -> str:
    return f"{size / _MEGA:,.0f} MB"
