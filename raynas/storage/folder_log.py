"""A log in a file of a folder."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from raynas.errors import JournalError
from raynas.storage.disk import Flusher, flush, writing

PARTIAL: Final = ".partial"
_ASKED: Final = 1.0  # seconds, in which somebody may ask whether the lock is held


class FolderLog:
    """A log in a file; a lock of the operating system keeps other writers away."""

    def __init__(self, folder: Path, name: str) -> None:
        """Read and write nothing yet."""
        self._folder = folder
        self._path = folder / f"{name}.jsonl"
        self._lock = FileLock(folder / f"{name}.lock", timeout=_ASKED)
        self._flusher = Flusher(self._path)

    @property
    def name(self) -> str:
        """The name of the file."""
        return self._path.name

    @property
    def where(self) -> str:
        """The path of the file."""
        return str(self._path)

    def exists(self) -> bool:
        """Return whether the file exists."""
        return self._path.exists()

    def lines(self, longest: int) -> Iterator[bytes]:
        """Yield the lines of the file, one at a time in memory."""
        with self._path.open("rb") as file:
            while line := file.readline(longest + 1):
                yield line
                if not line.endswith(b"\n") and len(line) <= longest:
                    return  # its writer may complete it meanwhile, but then in two pieces

    def hold(self) -> None:
        """Lock the folder; it is made if it does not exist."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
        except Timeout as error:
            raise JournalError(
                f"another process is writing the run in {self._folder}: wait for it or stop it"
            ) from error
        except OSError as error:
            raise JournalError(
                f"a run needs a folder that it can write into, got {self._folder}: "
                f"{error.strerror}"
            ) from error

    def is_held(self) -> bool:
        """Return whether a process, which may be this one, is its writer."""
        lock = Path(self._lock.lock_file)
        try:
            with FileLock(lock, timeout=0) if lock.exists() else nullcontext():
                return False
        except Timeout:
            return True
        except OSError:  # it may not be locked by us, for example in a folder that is only read
            return False

    def begin(self, line: bytes) -> None:
        """Write the first line to another file, then rename that."""
        half = self._path.with_suffix(PARTIAL)
        half.unlink(missing_ok=True)
        _append(half, line)
        flush(half)
        half.replace(self._path)
        flush(self._folder)

    def append(self, line: bytes) -> None:
        """Add a line.

        When this returns, the operating system has it: it survives the end of this process. A
        second later the disk has it: it survives a power cut.
        """
        _append(self._path, line)
        self._flusher.written()

    def settle(self) -> None:
        """Do nothing: the operating system has all lines."""

    def cut(self, intact: int) -> None:
        """Shorten the file."""
        with self._path.open("rb+") as file:
            file.truncate(intact)

    def remove(self) -> None:
        """Delete the file."""
        self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """Flush the last lines to the disk; release the lock."""
        try:
            self._flusher.close()
        finally:
            self._lock.release()


def _append(path: Path, line: bytes) -> None:
    with writing(path), path.open("ab", buffering=0) as file:
        if file.write(line) != len(line):  # the line is incomplete now; `resume` repairs it
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
