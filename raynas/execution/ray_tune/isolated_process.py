"""A process of its own, that a user's network may kill without harm to whoever asks it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection, Pipe
from signal import Signals
from types import TracebackType
from typing import Any, Final, Self

from ray import cloudpickle

from raynas.errors import RaynasError

_CODE: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from raynas.execution.ray_tune.isolated_process import answer; answer(int(sys.argv[2]))"
)


class ProcessDiedError(RaynasError):
    """The process died of a question."""


class IsolatedProcess:
    """Answers questions by a function, in a process of its own, which starts at once.

    After it has died, the next question starts another one.
    """

    def __init__(self, answering: Callable[[Any], Any]) -> None:
        """Start it.

        Args:
            answering: The function; what it needs travels with it.
        """
        self._answering = cloudpickle.dumps(answering)
        self._start()

    def send(self, question: Any) -> None:
        """Ask something, whose answer is received later."""
        if not self._alive:
            self._start()
        self._connection.send(question)

    def answered(self, seconds: float) -> bool:
        """Wait for the answer; say whether it is there, or never will be."""
        return self._connection.poll(seconds)

    def receive(self) -> Any:
        """Return the answer.

        Raises:
            ProcessDiedError: There will be none.
        """
        try:
            return self._connection.recv()
        except (EOFError, ConnectionError):
            raise ProcessDiedError(self._died()) from None

    def ask(self, question: Any) -> Any:
        """Ask something and return the answer.

        Raises:
            ProcessDiedError: It died of the question.
        """
        self.send(question)
        return self.receive()

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
        self._connection.send_bytes(self._answering)
        self._alive = True

    def _died(self) -> str:
        """Say how the process ended."""
        status = self._process.wait()
        self._alive = False
        how = f"signal {Signals(-status).name}" if status < 0 else f"exit status {status}"
        return f"it ended the process that it ran in, with {how}"

    def __enter__(self) -> Self:
        """Do nothing: it has started."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End it."""
        self._connection.close()
        self._process.kill()
        self._process.wait()


def answer(handle: int) -> None:
    """Answer in the other process, until nobody asks any more."""
    connection = Connection(handle)
    try:
        answering = cloudpickle.loads(connection.recv_bytes())
        while True:
            connection.send(answering(connection.recv()))
    except EOFError:
        return
