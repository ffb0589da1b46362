"""The append-only log of events: the only source of truth of a run.

The journal has one JSON object per line. The first line describes the run; if the run is resumed
with other settings, one more line describes it again. Every other line is an event. Something
happened if and only if it is in the journal.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout

from raynas.errors import JournalError, RaynasError
from raynas.storage import Flusher, flush, writing
from raynas.trial import Event, History, Objective
from raynas.trial import codec as event_codec

FORMAT: Final = 3
_NAME: Final = "journal.jsonl"


@dataclass(frozen=True, slots=True)
class Replay:
    """The contents of a journal.

    Attributes:
        run: The latest description of the run.
        history: The history built from all events.
        intact: The number of bytes up to the end of the last complete line.
        torn: The number of bytes after it: an incomplete line, if the writer was killed.
    """

    run: Mapping[str, Any]
    history: History
    intact: int
    torn: int


def exists(folder: Path) -> bool:
    """Return whether ``folder`` holds a run."""
    return (folder / _NAME).exists()


def read(folder: Path) -> Replay:
    """Replay the journal in ``folder``; this is safe while another process writes it.

    Raises:
        JournalError: There is no journal, or a line other than the last one is damaged.
    """
    path = folder / _NAME
    if not path.exists():
        raise JournalError(f"{folder} holds no run: there is no {_NAME} in it")
    raw = path.read_bytes()
    intact = raw.rfind(b"\n") + 1
    lines = raw[:intact].splitlines()
    if not lines:
        raise JournalError(f"{path} is empty: the run was killed before it began; delete {folder}")
    run = _decoded(path, 1, lines[0])
    if run.get("event") != "run" or "objectives" not in run:
        raise JournalError(f"the first line of {path} must describe a run: {lines[0][:80]!r}")
    if run.get("format") != FORMAT:
        raise JournalError(
            f"{path} has the journal format {run.get('format')!r}, this version of raynas reads "
            f"format {FORMAT}: use the version that wrote it, or search in another folder"
        )
    history = History(tuple(Objective(**objective) for objective in run["objectives"]))
    for number, line in enumerate(lines[1:], start=2):
        data = _decoded(path, number, line)
        if data.get("event") == "run":
            run = data  # the run was resumed with other settings
            continue
        try:
            history.apply(event_codec.from_data(data))
        except (RaynasError, LookupError, TypeError, ValueError) as error:
            raise JournalError(f"{path}, line {number}, is not a valid event: {error}") from error
    return Replay(run, history, intact, len(raw) - intact)


class Journal:
    """The writer of a run's journal; it locks the folder, so that only one process writes."""

    def __init__(self, folder: Path) -> None:
        """Lock ``folder``; it is created if it does not exist.

        Raises:
            JournalError: Another process writes this run, or the folder is not writable.
        """
        self._path = folder / _NAME
        self._lock = FileLock(folder / "journal.lock", timeout=0)
        self._flusher = Flusher(self._path)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
        except Timeout as error:
            raise JournalError(
                f"another process is writing the run in {folder}: wait for it or stop it"
            ) from error
        except OSError as error:
            raise JournalError(
                f"a run needs a folder that it can write into, got {folder}: {error.strerror}"
            ) from error

    def begin(self, run: Mapping[str, Any]) -> None:
        """Write the description of a new run; if the process is killed here, there is no run."""
        partial = self._path.with_suffix(".partial")
        partial.unlink(missing_ok=True)
        _append(partial, _described(run))
        flush(partial)
        partial.replace(self._path)
        flush(self._path.parent)

    def withdraw(self) -> None:
        """Delete a run in which nothing has happened: its settings bind nobody."""
        self._path.unlink(missing_ok=True)

    def change(self, run: Mapping[str, Any]) -> None:
        """Write a new description, under which the run continues."""
        _append(self._path, _described(run))
        self._flusher.written()

    def repair(self, replay: Replay) -> None:
        """Remove an incomplete last line."""
        with self._path.open("rb+") as file:
            file.truncate(replay.intact)

    def append(self, event: Event) -> None:
        """Write one event.

        When this returns, the operating system has it: it survives the end of this process. A
        second later the disk has it: it survives a power cut.

        Raises:
            StorageError: The event, or an earlier one, cannot be written.
        """
        _append(self._path, event_codec.to_data(event))
        self._flusher.written()

    def close(self) -> None:
        """Flush the last events to the disk; release the lock, so that others can write."""
        try:
            self._flusher.close()
        finally:
            self._lock.release()


def _append(path: Path, data: Mapping[str, Any]) -> None:
    line = json.dumps(data, separators=(",", ":")).encode() + b"\n"
    with writing(path), path.open("ab", buffering=0) as file:
        if file.write(line) != len(line):  # the line is incomplete now; `resume` repairs it
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _described(run: Mapping[str, Any]) -> dict[str, Any]:
    return {"event": "run", "format": FORMAT, **run}


def _decoded(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        data = json.loads(line)
    except ValueError as error:
        raise JournalError(f"{path}, line {number}, is not valid JSON: {line[:80]!r}") from error
    if not isinstance(data, dict):
        raise JournalError(f"{path}, line {number}, must be a JSON object: {line[:80]!r}")
    return data
