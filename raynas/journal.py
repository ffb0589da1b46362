"""The append-only log of events: the only source of truth of a run.

The journal has one JSON object per line. The first line describes the run; if the run is resumed
with other settings, one more line describes it again. Every other line is an event. Something
happened if and only if it is in the journal.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from raynas.errors import JournalError, RaynasError
from raynas.json_text import parsed
from raynas.storage import Location, Log, store_of
from raynas.trial import Constraint, Event, History, Objective
from raynas.trial import codec as event_codec

FORMAT: Final = 3
_NAME: Final = "journal"
_LONGEST: Final = 2**26  # bytes of a line; those of raynas have some thousand


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


def exists(folder: Location) -> bool:
    """Return whether ``folder`` holds a run."""
    return _log(folder).exists()


def is_being_written(folder: Location) -> bool:
    """Return whether a process writes the run in ``folder``, which may be this one."""
    return _log(folder).is_held()


def read(folder: Location) -> Replay:
    """Replay the journal in ``folder``; this is safe while another process writes it.

    Raises:
        JournalError: There is no journal, or a line other than the last one is damaged.
    """
    log = _log(folder)
    if not log.exists():
        raise JournalError(f"{folder} holds no run: there is no {log.name} in it")
    reading, path = _Reading(log), log.where
    lines = iter(reading)
    first = next(lines, None)
    if first is None:
        raise JournalError(f"{path} is empty: the run was killed before it began; delete {folder}")
    run = _decoded(path, 1, first)
    if run.get("event") != "run" or "objectives" not in run:
        raise JournalError(f"the first line of {path} must describe a run: {first[:80]!r}")
    if run.get("format") != FORMAT:
        raise JournalError(
            f"{path} has the journal format {run.get('format')!r}, this version of raynas reads "
            f"format {FORMAT}: use the version that wrote it, or search in another folder"
        )
    try:
        history = History(
            tuple(Objective(**objective) for objective in run["objectives"]),
            constraints=tuple(Constraint(**one) for one in run.get("constraints", ())),
        )
    except TypeError as error:
        raise JournalError(f"{path} describes no objectives: {error}") from error
    with no_garbage():
        run = _replay(path, lines, history) or run
    history.best_known = run.get("best_known")
    return Replay(run, history, reading.intact, reading.torn)


@dataclass(slots=True)
class _Reading:
    """The complete lines of a log, one after the other.

    Attributes:
        log: The log.
        intact: The number of bytes of the lines so far.
        torn: The number of bytes after the last one.
    """

    log: Log
    intact: int = 0
    torn: int = 0

    def __iter__(self) -> Iterator[bytes]:
        for line in self.log.lines(_LONGEST):
            if not line.endswith(b"\n") and len(line) <= _LONGEST:
                self.torn = len(line)
                return
            self.intact += len(line)
            yield line.removesuffix(b"\n")


def _replay(path: str, lines: Iterable[bytes], history: History) -> dict[str, Any] | None:
    """Apply all events; return the last description of the run after the first, if any."""
    run = None
    for number, line in enumerate(lines, start=2):
        data = _decoded(path, number, line)
        if data.get("event") == "run":
            run = data  # the run was resumed with other settings
            continue
        try:
            history.apply(event_codec.from_data(data))
        except (RaynasError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise JournalError(f"{path}, line {number}, is not a valid event: {error}") from error
    return run


@contextmanager
def no_garbage() -> Iterator[None]:
    """Let Python search for no garbage while the context is open.

    A replay makes hardly any, and to search all trials for it takes a quarter of the time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class Journal:
    """The writer of a run's journal; it holds the journal, so that only one process writes."""

    def __init__(self, folder: Location) -> None:
        """Hold the journal in ``folder``; the folder is created if it does not exist.

        Raises:
            JournalError: Another process writes this run, or the folder is not writable.
        """
        self._log = _log(folder)
        self._log.hold()

    def begin(self, run: Mapping[str, Any]) -> None:
        """Write the description of a new run; if the process is killed here, there is no run."""
        self._log.begin(_line(_described(run)))

    def withdraw(self) -> None:
        """Delete a run in which nothing has happened: its settings bind nobody."""
        self._log.remove()

    def change(self, run: Mapping[str, Any]) -> None:
        """Write a new description, under which the run continues."""
        self._log.append(_line(_described(run)))

    def repair(self, replay: Replay) -> None:
        """Remove an incomplete last line."""
        self._log.cut(replay.intact)

    def append(self, event: Event) -> None:
        """Write one event.

        When this returns, a folder has it: it survives the end of this process, and a second later
        a power cut. An object store has it within about half a second, or the next event waits.

        Raises:
            StorageError: The event, or an earlier one, cannot be written.
        """
        self._log.append(_line(event_codec.to_data(event)))

    def settle(self) -> None:
        """Wait until no event can be lost if this process dies.

        What cannot be undone, such as deleting a checkpoint, is done after that.

        Raises:
            StorageError: An event cannot be written.
        """
        self._log.settle()

    def close(self) -> None:
        """Make the last events safe; let others write."""
        self._log.close()


def _log(folder: Location) -> Log:
    return store_of(folder).log(_NAME)


def _line(data: Mapping[str, Any]) -> bytes:
    return json.dumps(data, separators=(",", ":")).encode() + b"\n"


def _described(run: Mapping[str, Any]) -> dict[str, Any]:
    return {"event": "run", "format": FORMAT, **run}


def _decoded(path: str, number: int, line: bytes) -> dict[str, Any]:
    if len(line) > _LONGEST:
        raise JournalError(
            f"{path}, line {number}, must have at most {_LONGEST:,} bytes, got more"
        )
    try:
        data = parsed(line.decode())  # of bytes, json would first guess the encoding
    except ValueError as error:
        raise JournalError(f"{path}, line {number}, is not valid JSON: {line[:80]!r}") from error
    if not isinstance(data, dict):
        raise JournalError(f"{path}, line {number}, must be a JSON object: {line[:80]!r}")
    return data
