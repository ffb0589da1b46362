"""A separate process, which a user's network may kill or keep busy without harm to the caller."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe
from signal import Signals
from threading import Thread
from types import TracebackType
from typing import Any, Final, Self

from ray import cloudpickle

from raynas.errors import RaynasError

_CODE: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from raynas.execution.ray_tune.isolated_process import answer; answer(int(sys.argv[2]))"
)


PATIENCE: Final = 300.0
"""Seconds to wait for an answer: building a network and a few steps of training take at most some
seconds, and loading torch some more on a busy machine."""


class ProcessDiedError(RaynasError):
    """The process died of a question, or did not answer in time."""


class IsolatedProcess:
    """Answers questions by a function, in a separate process, which starts at once.

    After it has died, the next question starts another process.
    """

    _writer: Thread | None

    def __init__(self, answering: Callable[[Any], Any]) -> None:
        """Start the process.

        Args:
            answering: The function; it is sent to the process with what it needs.
        """
        self._answering = cloudpickle.dumps(answering)
        self._start()

    def send(self, question: Any) -> None:
        """Ask a question; its answer is received later. This does not wait for the process."""
        if not self._alive:
            self._start()
        self._write(self._connection.send, question)

    def answered(self, seconds: float) -> bool:
        """Wait for the answer; return whether it is there, or the process has died."""
        return self._connection.poll(seconds)

    def receive(self, seconds: float = PATIENCE) -> Any:
        """Return the answer; wait for it for so many seconds.

        Raises:
            ProcessDiedError: There will be no answer.
        """
        try:
            if not self._connection.poll(seconds):
                self._process.kill()
                self._process.wait()
                self._alive = False
                raise ProcessDiedError(f"it did not come to an end within {seconds:g} s")
            return self._connection.recv()
        except (EOFError, ConnectionError):
            raise ProcessDiedError(self._died()) from None

    def ask(self, question: Any, seconds: float = PATIENCE) -> Any:
        """Ask a question and return the answer; wait for it for so many seconds.

        Raises:
            ProcessDiedError: There will be no answer.
        """
        self.send(question)
        return self.receive(seconds)

    def _write(self, send: Callable[[Any], None], value: Any) -> None:
        """Send in another thread, after what was sent before: a pipe that is full makes one wait.

        If the process has died, whoever waits for its answer is told.
        """
        before = self._writer

        def write() -> None:
            if before is not None:
                before.join()
            with suppress(OSError):
                send(value)

        self._writer = Thread(target=write, daemon=True)
        self._writer.start()

    def _start(self) -> None:
        self._connection, theirs = Pipe()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _CODE, json.dumps(sys.path), str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        self._writer = None
        self._write(self._connection.send_bytes, self._answering)
        self._alive = True

    def _died(self) -> str:
        """Return how the process ended."""
        status = self._process.wait()
        self._alive = False
        how = f"signal {Signals(-status).name}" if status < 0 else f"exit status {status}"
        return f"it ended the process that it ran in, with {how}"

    def __enter__(self) -> Self:
        """Do nothing: the process has started."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        if self._writer is not None:
            self._writer.join()  # ends, for nobody reads what it writes
        self._connection.close()


def answer(handle: int) -> None:
    """Answer in the other process, until the connection is closed."""
    connection = Connection(handle)
    try:
        answering = cloudpickle.loads(connection.recv_bytes())
        while True:
            connection.send(answering(connection.recv()))
    except EOFError:
        return
