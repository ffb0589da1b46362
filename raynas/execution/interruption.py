"""Ending a run on a signal: first in good order, then at once."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from raynas.errors import Interrupted

_SIGNALS: Final = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGUSR1,
    signal.SIGALRM,  # the end of the grace time
)
_UNWINDING: Final = 10.0  # seconds after which a further signal ends the process as it is
_SHORTEST: Final = 1e-3  # a timer of nothing never rings


class Interruption:
    """Whether a run is asked to end.

    While trials run, the first signal is a request: nothing further starts, and a trial that runs
    ends after its epoch, with a checkpoint. A second signal, or the end of the grace time, ends
    the run at once. At any other moment the first signal does.

    SIGUSR1 counts like the others: Slurm's ``--signal=USR1@120`` sends it ahead of the end.

    Attributes:
        signal: The signal that asked for it; 0 while none did.
    """

    def __init__(self) -> None:
        """Begin without a request."""
        self.signal = 0
        self._grace: float | None = None
        self._raised_at: float | None = None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Answer signals; if one came, until the process ends."""
        before = {number: signal.getsignal(number) for number in _SIGNALS}
        self.listen()
        try:
            yield
        finally:
            if not self.signal:
                for number, handler in before.items():
                    signal.signal(number, handler)

    def listen(self) -> None:
        """Answer signals again: Ray and Tune set handlers of their own when they start."""
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                signal.signal(number, self._answer)

    @contextmanager
    def graceful(self, seconds: float) -> Iterator[None]:
        """Let the first signal be a request, which is to be met within so many seconds.

        Raises:
            Interrupted: It was met.
        """
        self._grace = seconds
        try:
            yield
        finally:
            self._grace = None
            signal.setitimer(signal.ITIMER_REAL, 0)
        if self.signal:
            self._raise()

    @contextmanager
    def blamed(self) -> Iterator[None]:
        """Blame the signal for whatever ends the run once a signal has.

        Ray's compiled code makes a ``SystemError`` of an exception that a handler raises in it.
        An exit with a status of its own has already said what it had to say.

        Raises:
            Interrupted: A signal has ended the run.
        """
        try:
            yield
        except BaseException as error:
            if self._raised_at is not None and not isinstance(error, Interrupted | SystemExit):
                raise Interrupted(self.signal) from error
            raise

    def check(self) -> None:
        """Raise again what Python has swallowed, as it does in a fork or in a finaliser.

        Raises:
            Interrupted: The run is to end at once.
        """
        if self._raised_at is not None:
            self._raise()

    def _answer(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - a handler
        first = not self.signal
        if number != signal.SIGALRM:
            self.signal = self.signal or number
        if self._raised_at is not None:  # what ends in good order is left to it, for a while
            if time.monotonic() - self._raised_at > _UNWINDING:
                os._exit(128 + self.signal)
        elif first and self._grace is not None:
            signal.setitimer(signal.ITIMER_REAL, max(self._grace, _SHORTEST))
        else:
            self._raise()

    def _raise(self) -> None:
        self._raised_at = self._raised_at or time.monotonic()
        raise Interrupted(self.signal)


class Uninterrupted(Interruption):
    """Whether a run is asked to end, for whoever has no signals answered."""

    def listen(self) -> None:
        """Leave signals to others."""

    @contextmanager
    def graceful(self, seconds: float) -> Iterator[None]:  # noqa: ARG002 - nobody asks
        """Do nothing."""
        yield


UNINTERRUPTED: Final = Uninterrupted()
