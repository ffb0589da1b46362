"""The contract of a place where a run lies.

Names are relative to the run folder and have ``/`` between their parts. All writes are whole: a
reader sees the old content or the new one, never a part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import BinaryIO, Protocol

from raynas.storage.address import Location

Fill = Callable[[BinaryIO], object]
"""Writes the content of a file."""


class Log(Protocol):
    """An append-only list of lines that one process writes and any process reads."""

    @property
    def name(self) -> str:
        """The name of its file or of its folder."""
        ...

    @property
    def where(self) -> str:
        """Where it lies, for messages."""
        ...

    def exists(self) -> bool:
        """Return whether there is one."""
        ...

    def lines(self, longest: int) -> Iterator[bytes]:
        """Yield its lines; only the last one can be incomplete, if its writer was killed.

        Args:
            longest: The most bytes of a line. Of a longer one, more are not read at once.

        Raises:
            JournalError: A part of it is missing or damaged.
        """
        ...

    def is_held(self) -> bool:
        """Return whether a process, which may be this one, is its writer."""
        ...

    def hold(self) -> None:
        """Become its only writer.

        Raises:
            JournalError: Another process is, or it cannot be written.
        """
        ...

    def begin(self, line: bytes) -> None:
        """Write the first line; a process that is killed here leaves no log."""
        ...

    def append(self, line: bytes) -> None:
        """Add a line.

        Raises:
            StorageError: It, or an earlier one, cannot be written.
        """
        ...

    def settle(self) -> None:
        """Wait until no line can be lost if this process dies."""
        ...

    def cut(self, intact: int) -> None:
        """Remove an incomplete last line.

        Args:
            intact: The number of bytes to keep.
        """
        ...

    def remove(self) -> None:
        """Delete the log."""
        ...

    def close(self) -> None:
        """Wait until every line is safe; let others write."""
        ...


class Store(Protocol):
    """Where the files of a run lie."""

    @property
    def location(self) -> Location:
        """Its address; absolute, because workers have other working folders."""
        ...

    def check(self) -> None:
        """Check that something can be written, before anything costs time.

        Raises:
            StorageError: Nothing can be written.
        """
        ...

    def guard(self, *folders: str) -> None:
        """Check that what is written into these folders stays in the store.

        Raises:
            ConfigError: A link leads out of it.
        """
        ...

    def trust(self) -> None:
        """Be told that another process has reached the store, so that the address is right."""
        ...

    def names(self, folder: str = "") -> list[str]:
        """Return the names of what lies directly in a folder; none if there is no such folder."""
        ...

    def folders(self, folder: str = "") -> list[str]:
        """Return the names of the folders in a folder, sorted, without links and hidden ones.

        Raises:
            OSError: There is no such folder, or it cannot be read.
        """
        ...

    def matching(self, pattern: str) -> list[str]:
        """Return the names that a pattern such as ``evolution-*/seed-?`` describes, sorted."""
        ...

    def sizes(self) -> Mapping[str, int]:
        """Return the bytes of all files, also of those in folders, by name."""
        ...

    def read(self, name: str, start: int = 0) -> bytes:
        """Return the content of a file, from its byte ``start`` on.

        Raises:
            FileNotFoundError: There is no such file.
        """
        ...

    def open(self, name: str) -> BinaryIO:
        """Return a file to read from.

        Raises:
            FileNotFoundError: There is no such file.
        """
        ...

    def write(self, contents: Mapping[str, bytes]) -> None:
        """Write files; when this returns, they are safe.

        Args:
            contents: Their contents, by name.

        Raises:
            StorageError: One cannot be written.
        """
        ...

    def replace(self, contents: Mapping[str, bytes]) -> None:
        """Write files, and delete all others that are there.

        Args:
            contents: Their contents, by name; none lies in a folder.

        Raises:
            StorageError: One cannot be written.
        """
        ...

    def send(self, name: str, fill: Fill) -> None:
        """Write a file that may still be on its way when this returns; ``settle`` waits for it.

        It is in its place in the end, or an error is raised by ``settle`` or the next ``send``.

        Raises:
            StorageError: It, or an earlier one, cannot be written.
        """
        ...

    def grow(self, name: str) -> BinaryIO:
        """Return a new file to write to; readers see what was flushed, within seconds."""
        ...

    def copy(self, source: str, target: str) -> None:
        """Copy a file; do nothing if there is none."""
        ...

    def delete(self, *names: str) -> None:
        """Delete files; it is no error if there are none."""
        ...

    def settle(self) -> None:
        """Wait until everything that was sent is in its place.

        Raises:
            StorageError: Something cannot be written.
        """
        ...

    def tidy(self, *folders: str) -> None:
        """Delete what killed processes have left half-written in these folders."""
        ...

    def log(self, name: str) -> Log:
        """Return the log of this name."""
        ...
