"""What a searcher has learnt, folded over the finished trials and kept as a memo."""

from __future__ import annotations

from collections.abc import Callable
from operator import is_
from typing import Final, Generic, TypeVar

from raynas.trial import History, Trial

State = TypeVar("State")

_AGE: Final = 8  # the more, the less is folded anew, and the more states are kept


class Incremental(Generic[State]):
    """A state that takes in one finished trial after another, in the order they finished.

    It is a function of the history. Some states on the way are kept, so that the next call goes on
    from the last one that still holds: where trials are taken up again and finish anew, another
    stands in the place of one that was folded in long ago. States must not be changed by what is
    given them.
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
        self._step = step
        self._folded: list[Trial] = []
        self._kept = {0: begin()}  # by the number of trials folded in, ascending

    def after(self, history: History) -> State:
        """Return the state after all that has finished."""
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
        """Drop states that have grown too old; of older ones, fewer are left.

        One after ``p`` trials stays for as many further ones as the largest power of two in ``p``,
        times ``_AGE``. So their number grows with the logarithm of the history, and to go back by
        ``n`` trials takes less than a third of ``n`` in addition.
        """
        newest, power = len(self._folded), 1
        while (place := newest - _AGE * power - 1) > 0:
            if place & -place == power:
                self._kept.pop(place, None)
            power *= 2


def _in_common(folded: list[Trial], finished: list[Trial]) -> int:
    """Return how many trials the two begin with alike."""
    same = list(map(is_, folded, finished))
    return len(same) if all(same) else same.index(False)
