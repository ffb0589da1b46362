"""Writing the files of a run; if this fails, the run stops, and no trial is blamed.

A power cut costs at most the last second of the journal.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock, Timer
from typing import Final

from raynas.errors import StorageError

_SECONDS: Final = 1.0  # after which what was written is flushed to the disk
_NOT_OFFERED: Final = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS)  # by some file systems
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


def flush(path: Path) -> None:
    """Wait until what was written to a file, or to the entries of a folder, is on the disk.

    Raises:
        StorageError: The disk does not take it.
    """
    with writing(path):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        except OSError as error:
            if error.errno not in _NOT_OFFERED:
                raise
        finally:
            os.close(descriptor)


class Flusher:
    """Flushes a file within a second after it was written to, on a thread of its own."""

    def __init__(self, path: Path) -> None:
        """Flush ``path`` whenever it was written to."""
        self._path = path
        self._lock = Lock()
        self._timer: Timer | None = None
        self._last: Timer | None = None  # which may be flushing
        self._error: StorageError | None = None

    def written(self) -> None:
        """Note that the file was written to.

        Raises:
            StorageError: The disk has not taken what was written earlier.
        """
        with self._lock:
            if self._error is not None:
                raise self._error
            if self._timer is None:
                self._timer = self._last = Timer(_SECONDS, self._flush)
                self._timer.daemon = True
                self._timer.start()

    def close(self) -> None:
        """Flush what was not flushed yet; a flush that has begun is waited for."""
        with self._lock:
            timer, self._timer = self._timer, None
        if self._last is not None:
            self._last.cancel()
            self._last.join()
        if timer is not None:
            self._flush_file()

    def _flush(self) -> None:
        with self._lock:
            self._timer = None
        try:
            self._flush_file()
        except StorageError as error:  # raised where the next event is written
            self._error = error

    def _flush_file(self) -> None:
        if self._path.exists():  # a run that is withdrawn deletes it
            flush(self._path)


def _why(error: Exception, path: Path) -> str:
    """Return why something could not be written; libraries do not say that a disk is full."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    folder = next(one for one in (path, *path.absolute().parents) if one.is_dir())
    if shutil.disk_usage(folder).free < _FULL:
        return os.strerror(errno.ENOSPC)
    return (str(error) or type(error).__name__).splitlines()[0]
