"""Lines that are written in groups by a thread, because a single write takes long."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from threading import Condition, Thread

from raynas.errors import StorageError


class GroupCommit:
    """Hands lines to ``put`` in groups; whoever adds lines does not wait, unless put is late."""

    def __init__(
        self,
        put: Callable[[Sequence[bytes]], None],
        interval: float = 0.25,
        longest: float = 1.0,
    ) -> None:
        """Write nothing yet.

        Args:
            put: Makes a group of lines safe.
            interval: The least time between the beginnings of two writes, in seconds: it bounds
                the number of objects.
            longest: How long a line may be only in memory, in seconds. Then ``add`` waits: nothing
                more happens in the run until the store has taken what happened.
        """
        self._put = put
        self._interval = interval
        self._longest = longest
        self._changed = Condition()
        self._waiting: list[bytes] = []
        self._since: list[
            float
        ] = []  # when the oldest line in flight, and the oldest waiting, came
        self._hurried = 0
        self._closed = False
        self._error: StorageError | None = None
        self._thread = Thread(target=self._run, name="raynas-journal", daemon=True)
        self._thread.start()

    def add(self, line: bytes) -> None:
        """Add a line.

        Raises:
            StorageError: It, or an earlier one, cannot be written.
        """
        with self._changed:
            self._raise()
            if not self._waiting:
                self._since.append(time.monotonic())
            self._waiting.append(line)
            self._changed.notify_all()
            while self._since and time.monotonic() - self._since[0] > self._longest:
                self._raise()
                self._changed.wait(0.1)

    def settle(self) -> None:
        """Wait until all lines are safe.

        Raises:
            StorageError: One cannot be written.
        """
        with self._changed:
            self._hurried += 1
            self._changed.notify_all()
            while self._since and self._error is None:
                self._changed.wait(0.1)
            self._hurried -= 1
            self._raise()

    def fail(self, error: StorageError) -> None:
        """Write nothing more; raise the error where a line is added."""
        with self._changed:
            self._error = self._error or error
            self._changed.notify_all()

    def close(self) -> None:
        """Write the last lines, and end the thread.

        Raises:
            StorageError: They cannot be written, and that was not raised before.
        """
        with self._changed:
            known, self._closed = self._error, True
            self._changed.notify_all()
        self._thread.join()
        if self._error is not known and self._error is not None:
            raise self._error

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        begun = -self._interval
        while group := self._next_group(begun + self._interval):
            begun = time.monotonic()
            try:
                self._put(group)
            except StorageError as error:
                self.fail(error)
                return
            except Exception as error:  # noqa: BLE001 - raised where a line is added
                self.fail(StorageError(f"the journal cannot be written: {error}"))
                return
            with self._changed:
                del self._since[0]
                self._changed.notify_all()

    def _next_group(self, earliest: float) -> list[bytes]:
        """Wait for lines and for the time to write them; return none when closed or failed."""
        with self._changed:
            while self._error is None:
                pause = earliest - time.monotonic()
                if self._waiting and (self._closed or self._hurried or pause <= 0):
                    group, self._waiting = self._waiting, []
                    return group
                if self._closed:
                    break
                self._changed.wait(max(pause, 0.01) if self._waiting else None)
        return []
