"""Writing the files of a run; if this fails, the run stops, and no trial is blamed."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from raynas.errors import StorageError

_FULL: Final = 2**16  # bytes free, below which what a library could not write found a full disk


@contextmanager
def writing(path: Path | str, *more: type[Exception]) -> Iterator[None]:
    """Turn errors of writing into ``StorageError``.

    Args:
        path: The file that is written, or its folder.
        more: Other exceptions that mean such an error, in addition to ``OSError``.

    Raises:
        StorageError: The file cannot be written.
    """
    try:
        yield
    except (OSError, *more) as error:  # type: ignore[misc]  # mypy knows no unpacking here
        raise StorageError(
            f"{path} cannot be written: {_why(error, Path(path))}. Nothing that was trained is "
            "lost: free disk space, or make the folder writable, then continue with raynas resume"
        ) from error


def _why(error: Exception, path: Path) -> str:
    """Return why something could not be written; libraries do not say that a disk is full."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    folder = next(one for one in (path, *path.absolute().parents) if one.is_dir())
    if shutil.disk_usage(folder).free < _FULL:
        return os.strerror(errno.ENOSPC)
    return (str(error) or type(error).__name__).splitlines()[0]
