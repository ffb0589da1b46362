"""Objects on their way to a store, sent by threads of their own."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import Condition, Timer
from typing import Final

_AT_ONCE: Final = 8  # requests side by side
_SECONDS: Final = 5.0  # after which what was written to a growing file is sent


class Outbox:
    """Sends objects in the background: of each name, the newest content after the one under way.

    An error is raised once, by ``check`` or ``settle``.
    """

    def __init__(self, write: Callable[[str, bytes], None]) -> None:
        """Send nothing yet.

        Args:
            write: Writes an object.
        """
        self._write = write
        self._threads = ThreadPoolExecutor(_AT_ONCE, "raynas-outbox")
        self._changed = Condition()
        self._waiting: dict[str, Callable[[], bytes]] = {}
        self._under_way: set[str] = set()
        self._error: Exception | None = None

    def send(self, name: str, content: Callable[[], bytes]) -> None:
        """Send an object; ``content`` returns what it holds when its turn has come."""
        with self._changed:
            self._waiting[name] = content
            if name not in self._under_way:
                self._under_way.add(name)
                try:
                    self._threads.submit(self._work, name)
                except BaseException:  # no thread will do it, and nobody may wait for it
                    self._under_way.discard(name)
                    raise

    def each(self, action: Callable[[str], object], names: Iterable[str]) -> None:
        """Do something with objects side by side, and wait until all is done.

        Raises:
            Exception: The first that an action has raised.
        """
        for _ in self._threads.map(action, names):
            pass

    def check(self) -> None:
        """Raise the error of an object that could not be written.

        Raises:
            StorageError: There was one.
        """
        error, self._error = self._error, None
        if error is not None:
            raise error

    def settle(self) -> None:
        """Wait until everything is in its place.

        Raises:
            StorageError: An object could not be written.
        """
        with self._changed:
            while self._under_way:
                self._changed.wait(0.1)
        self.check()

    def _work(self, name: str) -> None:
        """Write what is waiting of a name, until nothing is."""
        while True:
            with self._changed:
                content = self._waiting.pop(name, None)
                if content is None:
                    self._under_way.discard(name)
                    self._changed.notify_all()
                    return
            try:
                self._write(name, content())
            except Exception as error:  # noqa: BLE001 - raised in another thread
                self._error = error


class Growing(io.RawIOBase):
    """A file in memory; seconds after it was flushed, and when it is closed, it is sent whole."""

    def __init__(self, outbox: Outbox, name: str) -> None:
        """Begin an empty file."""
        super().__init__()
        self._outbox = outbox
        self._name = name
        self._content = bytearray()
        self._timer: Timer | None = None
        self._closing = False

    def __del__(self) -> None:
        """Send nothing: a finaliser may run while any lock is held, also that of the threads."""

    def writable(self) -> bool:
        """Return true."""
        return True

    def write(self, content: bytes) -> int:  # type: ignore[override]  # of any buffer
        """Add to the file."""
        self._content += content
        return len(content)

    def flush(self) -> None:
        """Let the file be sent within seconds."""
        if self._closing or self._timer is not None or not self._content:
            return
        self._timer = Timer(_SECONDS, self._send)
        self._timer.daemon = True
        self._timer.start()

    def close(self) -> None:
        """Send the file for the last time; ``Store.settle`` waits for it."""
        if self._closing:
            return
        self._closing = True  # closing flushes
        super().close()
        if self._timer is not None:
            self._timer.cancel()
        self._send()

    def _send(self) -> None:
        self._timer = None
        self._outbox.send(self._name, lambda: bytes(self._content))
