"""A separate process: if a user's network crashes or blocks it, the main process continues."""

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
"""Seconds to wait for an answer. Building a network and a few training steps take a few seconds;
importing torch takes some more on a busy machine."""


class ProcessDiedError(RaynasError):
    """The process died while it answered a question, or did not answer in time."""


class IsolatedProcess:
    """Answers questions with a function that runs in a separate process.

    If the process has died, the next question starts a new one.
    """

    _writer: Thread | None

    def __init__(self, answering: Callable[[Any], Any]) -> None:
        """Start the process.

        Args:
            answering: The function; it is pickled and sent to the process.
        """
        self._answering = cloudpickle.dumps(answering)
        self._start()

    def send(self, question: Any) -> None:
        """Send a question without waiting for the answer; ``receive`` returns the answer."""
        if not self._alive:
            self._start()
        self._write(self._connection.send, question)

    def answered(self, seconds: float) -> bool:
        """Wait up to ``seconds``; return whether the process has answered or died."""
        return self._connection.poll(seconds)

    def receive(self, seconds: float = PATIENCE) -> Any:
        """Return the answer; wait for it up to ``seconds``.

        Raises:
            ProcessDiedError: The process died, or did not answer in time and was killed.
        """
        try:
            if not self._connection.poll(seconds):
                self._process.kill()
                self._process.wait()
                self._alive = False
                raise ProcessDiedError(f"it did not end within {seconds:g} s")
            return self._connection.recv()
        except (EOFError, ConnectionError):
            raise ProcessDiedError(self._died()) from None

    def ask(self, question: Any, seconds: float = PATIENCE) -> Any:
        """Send a question and return the answer; wait for it up to ``seconds``.

        Raises:
            ProcessDiedError: The process died, or did not answer in time and was killed.
        """
        self.send(question)
        return self.receive(seconds)

    def _write(self, send: Callable[[Any], None], value: Any) -> None:
        """Send a value in another thread, because sending blocks while the pipe is full.

        Values are sent in order. If the process has died, ``receive`` raises the error.
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
        """Return in words how the process ended."""
        status = self._process.wait()
        self._alive = False
        how = f"signal {Signals(-status).name}" if status < 0 else f"exit status {status}"
        return f"it ended its process with {how}"

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
            self._writer.join()  # it ends, because writing to a closed pipe fails
        self._connection.close()


def answer(handle: int) -> None:
    """Answer questions until the connection is closed; this runs in the other process.

    Args:
        handle: The file descriptor of the connection.
    """
    connection = Connection(handle)
    try:
        answering = cloudpickle.loads(connection.recv_bytes())
        while True:
            connection.send(answering(connection.recv()))
    except EOFError:
        return
