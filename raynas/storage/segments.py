"""A log in an object store: segments of lines, each written once.

A segment's name is the number of the lines before it, such as ``journal/0000000012.jsonl``. So a
reader sees whether one is missing. If two writers both believe to be the only one, they cannot
both write: a segment must be new, and the second one finds it there.

A run that was copied from a folder has one file, ``journal.jsonl``. It is read as it is; before
more is written, it becomes the first segment.
"""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Final

from raynas.errors import JournalError, StorageError
from raynas.storage.group_commit import GroupCommit
from raynas.storage.lease import Lease, taken_over
from raynas.storage.requests import Objects

_MERGED: Final = 100  # segments that become one, so that a journal has few objects
_LOOKS: Final = 20  # at a journal whose writer merges segments meanwhile
_AT_ONCE: Final = 8  # segments that are fetched side by side, and are in memory
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
        """Return whether there is a first segment, or the file of a folder."""
        return _segment(0) in self._objects.names(self.name) or self._is_copied()

    def lines(self, longest: int) -> Iterator[bytes]:
        """Yield the lines that were safe when the segments were listed, or a few more.

        Raises:
            JournalError: A segment is missing or damaged.
        """
        if not self._starts():
            file = io.BytesIO(self._objects.read(self._file))
            yield from iter(partial(file.readline, longest + 1), b"")
            return
        told = looks = 0
        while looks < _LOOKS:
            looks, before = looks + 1, told
            try:
                for start, content in self._segments(before):
                    self._check_segment(start, content, told, before)
                    for line in islice(io.BytesIO(content), told - start, None):
                        told += 1
                        yield line
            except FileNotFoundError:  # it was merged into an earlier one since it was listed
                looks = looks if told == before else 0
            else:
                return
        raise JournalError(f"{self.where} changes faster than it can be read: try again")

    def _segments(self, told: int) -> Iterator[tuple[int, bytes]]:
        """Yield the segments in order, from that on which has the line after the first ``told``.

        Raises:
            FileNotFoundError: One of them is not there any more.
        """
        starts = self._starts()
        starts = starts[max(bisect_right(starts, told) - 1, 0) :]
        for at in range(0, len(starts), _AT_ONCE):
            some = starts[at : at + _AT_ONCE]
            contents = self._objects.read_all([self._called(start) for start in some])
            yield from zip(some, contents, strict=True)

    def _check_segment(self, start: int, content: bytes, told: int, before: int) -> None:
        """Check that a segment follows the first ``told`` lines, or that these have its lines.

        Of a segment that was merged since the reader has listed them, it knows a part: ``before``
        lines were read then.

        Raises:
            JournalError: A segment is missing or damaged.
        """
        count = content.count(b"\n")
        if not content.endswith(b"\n") or before < start < told < start + count:
            raise JournalError(
                f"{self.where}/{_segment(start)} is damaged: it has {count} whole lines and "
                f"begins with line {start + 1}; restore it from a backup"
            )
        if start > told:
            raise JournalError(
                f"{self.where}/{_segment(told)} is missing or cut short: the next segment "
                f"begins with line {start + 1}; restore it from a backup"
            )

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

    def hold(self) -> None:
        """Take the lease, and find the end of the log."""
        self._objects.patience.renew()
        self._lease.take()
        if not self._starts() and self._is_copied():
            self._adopt()
        last = self._starts()[-1:]
        self._lines = sum(
            start + self._objects.read(self._called(start)).count(b"\n") for start in last
        )
        self._small = []
        self._group = GroupCommit(self._put)

    def _adopt(self) -> None:
        """Make the first segment of the file of a folder, without an incomplete last line."""
        content = self._objects.read(self._file)
        if not self._objects.create(self._called(0), content[: content.rfind(b"\n") + 1]):
            raise taken_over(self._objects.location)

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

    @property
    def _file(self) -> str:
        """The name of the log in a folder."""
        return f"{self.name}{_SUFFIX}"

    def _is_copied(self) -> bool:
        return self._file in self._objects.names()

    def _called(self, start: int) -> str:
        return f"{self.name}/{_segment(start)}"


def _segment(start: int) -> str:
    return f"{start:010d}{_SUFFIX}"
