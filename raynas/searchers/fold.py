"""What a searcher has learnt, folded over the finished trials and kept as a memo."""

from __future__ import annotations

from collections.abc import Callable
from operator import is_
from typing import Generic, TypeVar

from raynas.trial import History, Trial

State = TypeVar("State")


class Fold(Generic[State]):
    """A state that takes in one finished trial after another, in the order they finished.

    It is a function of the history: of what was folded in already only the last state is kept, so
    that the next call goes on from there; another history begins it anew.
    """

    def __init__(
        self, begin: Callable[[], State], step: Callable[[State, Trial, History], State]
    ) -> None:
        """Begin with an empty history.

        Args:
            begin: Makes the state before the first trial.
            step: Makes the next state of one and a finished trial. Of the history, it may look
                only at what had happened when the trial finished.
        """
        self._begin = begin
        self._step = step
        self._folded: list[Trial] = []
        self._state = begin()

    def after(self, history: History) -> State:
        """Return the state after all that has finished."""
        known = len(self._folded)
        same = known <= len(history.finished) and all(map(is_, self._folded, history.finished))
        if not same:
            self._folded, self._state = [], self._begin()
        for trial in history.finished[len(self._folded) :]:
            self._state = self._step(self._state, trial, history)
            self._folded.append(trial)
        return self._state
