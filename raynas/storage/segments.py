"""A log in an object store: segments of lines, each written once.

A segment's name is the number of the lines before it, such as ``journal/0000000012.jsonl``. So a
reader sees whether one is missing. If two writers both believe to be the only one, they cannot
both write: a segment must be new, and the second one finds it there.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Final

from raynas.errors import JournalError, StorageError
from raynas.storage.group_commit import GroupCommit
from raynas.storage.lease import Lease, taken_over
from raynas.storage.requests import Objects

_MERGED: Final = 100  # segments that become one, so that a journal has few objects
_LOOKS: Final = 20  # at a journal whose writer merges segments meanwhile
_SUFFIX: Final = ".jsonl"


class SegmentLog:
    """A log of segments, which a thread writes.

    Attributes:
        name: The folder of the segments.
    """

    def __init__(self, objects: Objects, name: str) -> None:
        """Read and write nothing yet."""
        self._objects = objects
        self.name = name
        self._lease = Lease(objects, f"{name}.lease", self._fenced)
        self._lines = 0  # safe in the store
        self._small: list[tuple[int, bytes]] = []  # segments of this process, to be merged
        self._group: GroupCommit | None = None

    @property
    def where(self) -> str:
        """The address of the segments."""
        return f"{self._objects.location}/{self.name}"

    def exists(self) -> bool:
        """Return whether there is a first segment."""
        return _segment(0) in self._objects.names(self.name)

    def lines(self, longest: int) -> Iterator[bytes]:  # noqa: ARG002 - segments are read whole
        """Yield the lines that were safe when the segments were listed, or a few more.

        Raises:
            JournalError: A segment is missing or damaged.
        """
        for content in self._contents():
            yield from io.BytesIO(content)

    def is_held(self) -> bool:
        """Return whether a process seems to be its writer."""
        return self._lease.is_held()

    def check(self) -> None:
        """Check that no other process can be the writer, if this one is.

        Raises:
            StorageError: Another one is.
            TimeoutError: That is not known at the moment.
        """
        self._lease.check()

    def _contents(self) -> list[bytes]:
        """Return the segments in order, without what a merged one has, too."""
        for _ in range(_LOOKS):
            starts = self._starts()
            try:
                contents = self._objects.read_all([self._called(start) for start in starts])
            except FileNotFoundError:  # it was merged into an earlier one since it was listed
                continue
            return self._joined(starts, contents)
        raise JournalError(f"{self.where} changes faster than it can be read: try again")

    def hold(self) -> None:
        """Take the lease, and find the end of the log."""
        self._objects.patience.renew()
        self._lease.take()
        last = self._starts()[-1:]
        self._lines = sum(
            start + self._objects.read(self._called(start)).count(b"\n") for start in last
        )
        self._small = []
        self._group = GroupCommit(self._put)

    def begin(self, line: bytes) -> None:
        """Write the first segment."""
        self._put([line])

    def append(self, line: bytes) -> None:
        """Add a line, which is safe within about half a second.

        It waits while an earlier line has been on its way for more than a second.
        """
        self._held.add(line)

    def settle(self) -> None:
        """Wait until all lines are in the store, and this process is known to be their writer."""
        self._held.settle()
        self._objects.patience(self.check)

    def cut(self, intact: int) -> None:
        """Do nothing: ``read`` accepts no incomplete line, because segments are whole."""

    def remove(self) -> None:
        """Delete the segments."""
        for start in reversed(self._starts()):  # the first one last: without it there is no log
            self._objects.delete(self._called(start))
        self._lines, self._small = 0, []

    def close(self) -> None:
        """Write the last lines, and give the lease back."""
        group, self._group = self._held, None
        try:
            group.close()
        finally:
            self._lease.release()

    @property
    def _held(self) -> GroupCommit:
        if self._group is None:
            raise StorageError(f"{self.where} is not held by this process: it may not write")
        return self._group

    def _fenced(self) -> None:
        if self._group is not None:
            self._group.fail(taken_over(self._objects.location))

    def _put(self, lines: Sequence[bytes]) -> None:
        content = b"".join(lines)
        if not self._objects.create(self._called(self._lines), content):
            raise taken_over(self._objects.location)
        self._small.append((self._lines, content))
        self._lines += len(lines)
        if len(self._small) >= _MERGED:
            self._merge()

    def _merge(self) -> None:
        """Make one of the segments that this process has written; no line is ever missing."""
        (first, _), *others = self._small
        self._objects.put(self._called(first), b"".join(content for _, content in self._small))
        self._objects.delete(*(self._called(start) for start, _ in others))
        self._small = []

    def _starts(self) -> list[int]:
        names = self._objects.names(self.name)
        return sorted(int(name.removesuffix(_SUFFIX)) for name in names if name.endswith(_SUFFIX))

    def _called(self, start: int) -> str:
        return f"{self.name}/{_segment(start)}"

    def _joined(self, starts: Sequence[int], contents: Sequence[bytes]) -> list[bytes]:
        """Return the contents in order, without those that a merged segment has, too.

        Raises:
            JournalError: A segment is missing or damaged.
        """
        joined, lines = [], 0
        for start, content in zip(starts, contents, strict=True):
            count = content.count(b"\n")
            if not content.endswith(b"\n") or start < lines < start + count:
                raise JournalError(
                    f"{self.where}/{_segment(start)} is damaged: it has {count} whole lines and "
                    f"begins with line {start + 1}; restore it from a backup"
                )
            if start > lines:
                raise JournalError(
                    f"{self.where}/{_segment(lines)} is missing or cut short: the next segment "
                    f"begins with line {start + 1}; restore it from a backup"
                )
            if start == lines:
                joined.append(content)
                lines += count
        return joined


def _segment(start: int) -> str:
    return f"{start:010d}{_SUFFIX}"
