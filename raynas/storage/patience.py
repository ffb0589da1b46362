"""Trying again while an object store does not answer, or refuses."""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Callable
from typing import Final, TypeVar

from raynas.errors import RaynasError, StorageError

T = TypeVar("T")

SECONDS: Final = 60.0
_ANSWER: Final = 8.0  # seconds for the answer to a small request
_FIRST_ANSWER: Final = 20.0  # seconds; loading the library is part of the first request
_FIRST_CONTACT: Final = 4.0  # seconds; libraries try several times themselves
_FIRST, _LONGEST = 0.2, 5.0  # seconds between two tries
_ANSWERS: Final = (FileExistsError, FileNotFoundError, NotADirectoryError)
_LOG = logging.getLogger("raynas")


class Patience:
    """How long what is asked of a store may fail before that is an error.

    The first request is tried for a few seconds only: the address may be wrong. After the time is
    over once, nothing is tried twice, so that a run ends soon.
    """

    def __init__(self, where: str, seconds: float = SECONDS) -> None:
        """Have failed at nothing yet.

        Args:
            where: The address of the store, for messages.
            seconds: How long to try.
        """
        self._where = where
        self._seconds = seconds
        self._met = False
        self._over = False

    def renew(self) -> None:
        """Try again as long as before, after the time was over once."""
        self._over = False

    def trust(self) -> None:
        """Note that the store has answered, perhaps another process: it exists."""
        self._met = True

    @property
    def seconds(self) -> float:
        """How long the next request is tried."""
        if self._over:
            return 0.0
        return self._seconds if self._met else min(self._seconds, _FIRST_CONTACT)

    @property
    def answer(self) -> float:
        """How many seconds the answer to a small request may take."""
        return _ANSWER if self._met else _FIRST_ANSWER

    @property
    def longest(self) -> float | None:
        """How many seconds any request may take: it may be of a large file, so there is no limit.

        The library of the store has limits of its own.
        """
        return None

    def __call__(self, action: Callable[[], T]) -> T:
        """Return the result of an action, which is tried until it succeeds.

        Raises:
            FileExistsError: The action raised it, and so it is with ``FileNotFoundError``: these
                are answers.
            StorageError: It failed until the time was over.
        """
        seconds = self.seconds
        end, pause, said = time.monotonic() + seconds, _FIRST, False
        while True:
            try:
                result = action()
            except _ANSWERS:
                self._met = True
                raise
            except (RaynasError, TypeError):  # a library is missing, or is used wrongly
                raise
            except Exception as error:  # libraries of stores raise what they like
                if self._is_final(error) or time.monotonic() + pause > end:
                    self._over = True
                    raise self._refused(error) from error
                if self._met and not said:
                    _LOG.warning(
                        "%s refuses (%s): trying again, for up to %.0f s",
                        *(self._where, reason(error), seconds),
                    )
                    said = True
            else:
                self._met = True
                return result
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST)

    def _is_final(self, error: Exception) -> bool:
        """Return whether an error will not go away: permissions may return, but not at first."""
        if isinstance(error, NotImplementedError):
            return True
        if isinstance(error, OSError) and error.errno == errno.ENOSYS:
            return True
        return isinstance(error, PermissionError) and not self._met

    def _refused(self, error: Exception) -> StorageError:
        said = f"{self._where} cannot be read or written: {reason(error)}"
        if not self._met:
            return StorageError(
                f"{said}. Check the address, the server and your permissions: raynas must list, "
                "read, write and delete there"
            )
        return StorageError(
            f"{said}. Nothing that was trained is lost: make the storage writable, then continue "
            "with raynas resume"
        )


class Once(Patience):
    """No patience: a request is tried once, and its error is raised as it is."""

    def __init__(self, where: str, longest: float) -> None:
        """Have tried nothing yet.

        Args:
            where: The address of the store.
            longest: How many seconds any request may take.
        """
        super().__init__(where)
        self._longest = longest

    @property
    def answer(self) -> float:
        """How many seconds the answer to a small request may take."""
        return self._longest

    @property
    def longest(self) -> float:
        """How many seconds any request may take."""
        return self._longest

    def __call__(self, action: Callable[[], T]) -> T:
        """Return the result of an action."""
        return action()


def reason(error: BaseException) -> str:
    """Return the message of an error in one line."""
    if isinstance(error, TimeoutError) and not str(error):
        return "it does not answer"
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return said.splitlines()[0]
