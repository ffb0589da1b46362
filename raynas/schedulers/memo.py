"""A cache, so that a scheduler need not compute everything again at every report."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from raynas.trial import History

State = TypeVar("State")


class Memo(Generic[State]):
    """A cached state for one history as it grows; for another history, a new state begins.

    The state may hold only what a new state would compute from the same history.
    """

    def __init__(self, begin: Callable[[], State]) -> None:
        """Begin with no history.

        Args:
            begin: Makes the state before anything has happened.
        """
        self._begin = begin
        self._history: History | None = None
        self._state = begin()

    def of(self, history: History) -> State:
        """Return the state, which may not have seen the latest events yet."""
        if history is not self._history:
            self._history, self._state = history, self._begin()
        return self._state
