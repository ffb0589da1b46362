"""A searcher's state, computed from one finished trial after another and cached."""

from __future__ import annotations

from collections.abc import Callable
from operator import is_
from typing import Final, Generic, TypeVar

from raynas.trial import History, Trial

State = TypeVar("State")

_AGE: Final = 8  # the larger, the fewer steps are repeated, and the more states are kept


class Incremental(Generic[State]):
    """A state that is updated with one finished trial after another, in the order they finished.

    It is a function of the history. Some earlier states are kept, and the next call continues
    from the last state that is still valid: if a trial is resumed and finishes again, its entry
    changes, and all states after that entry are computed again. ``step`` must not change the
    state that it is given.
    """

    def __init__(
        self, begin: Callable[[], State], step: Callable[[State, Trial, History], State]
    ) -> None:
        """Begin with an empty history.

        Args:
            begin: Makes the state before the first trial.
            step: Makes the next state from a state and a finished trial. It may read only the
                part of the history that had happened when the trial finished.
        """
        self._step = step
        self._folded: list[Trial] = []
        self._kept = {0: begin()}  # by the number of trials folded in, ascending

    def after(self, history: History) -> State:
        """Return the state after all finished trials."""
        self._forget(_in_common(self._folded, history.finished))
        state = self._kept[len(self._folded)]
        for trial in history.finished[len(self._folded) :]:
            state = self._step(state, trial, history)
            self._folded.append(trial)
            self._kept[len(self._folded)] = state
            self._thin()
        return state

    def _forget(self, known: int) -> None:
        """Return to the last kept state that is no further than ``known`` trials."""
        while next(reversed(self._kept)) > known:
            self._kept.popitem()
        del self._folded[next(reversed(self._kept)) :]

    def _thin(self) -> None:
        """Drop old states; the older the states, the fewer are kept.

        The state after ``p`` trials is kept for ``_AGE`` times the largest power of two that
        divides ``p`` further trials. So the number of states grows with the logarithm of the
        history, and going back by ``n`` trials repeats less than a third of ``n`` more steps.
        """
        newest, power = len(self._folded), 1
        while (place := newest - _AGE * power - 1) > 0:
            if place & -place == power:
                self._kept.pop(place, None)
            power *= 2


def _in_common(folded: list[Trial], finished: list[Trial]) -> int:
    """Return how many trials at the start of both lists are the same."""
    same = list(map(is_, folded, finished))
    return len(same) if all(same) else same.index(False)
