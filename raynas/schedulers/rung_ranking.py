"""The ranking of the trials at a rung, updated as reports come in."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Mapping

from raynas.schedulers.rungs import Place, place
from raynas.trial import History, Score


class RungRanking:
    """The trials that reported after one epoch, best first.

    A number of the best trials are contenders: they may still continue from here. A trial that
    has once been behind the contenders never continues, even if later trials are worse, because
    its checkpoint is deleted. This depends only on the order of the reports.
    """

    def __init__(self, epoch: int, room: Callable[[int], int]) -> None:
        """Begin without trials.

        Args:
            epoch: The epoch of the rung.
            room: Returns the number of contenders for a number of trials.
        """
        self._epoch = epoch
        self._room = room
        self._all: list[Place] = []
        self._open: list[Place] = []  # contenders, and some trials that continued or failed
        self._most = 1  # how long that list may become before it is searched for those
        self._reached: Mapping[int, Score] = {}

    def catch_up(self, history: History) -> None:
        """Add the trials that have reported since the last call."""
        self._reached = history.at(self._epoch)
        for number, score in self._reached.since(len(self._all)):
            insort(self._all, place(number, score))
            insort(self._open, place(number, score))
            room = self._room(len(self._all))
            while self._open and bisect_left(self._all, self._open[-1]) >= room:
                del self._open[-1]

    def __len__(self) -> int:
        """Return how many trials there are."""
        return len(self._all)

    def __getitem__(self, at: int) -> int:
        """Return the number of the trial at a place, counted from 0."""
        return self._all[at][-1]

    def of(self, number: int) -> int:
        """Return a trial's place, counted from 0."""
        return bisect_left(self._all, place(number, self._reached[number]))

    def better(self, number: int) -> int:
        """Return how many trials have a lower score than a trial."""
        return bisect_left(self._all, self._reached[number].first)

    def waiting(self, history: History) -> Iterator[int]:
        """Yield the contenders that were stopped here and can continue, best first.

        A trial that continued from here, or failed, never waits here again. Such trials are
        removed whenever the list has become twice as long, so it stays short.
        """
        trials = history.trials
        if len(self._open) >= self._most:
            self._open = [one for one in self._open if not _gone(history, one[-1], self._epoch)]
            self._most = 2 * len(self._open) + 1
        for *_, number in self._open:
            if trials[number].resumable and trials[number].epoch == self._epoch:
                yield number


class RungRankings:
    """All rungs of a history."""

    def __init__(self, room: Callable[[int], int] = lambda count: count) -> None:
        """Begin without any.

        Args:
            room: Returns the number of contenders for a number of trials; all by default.
        """
        self._room = room
        self._rungs: dict[int, RungRanking] = {}

    def at(self, history: History, epoch: int) -> RungRanking:
        """Return the ranking after ``epoch``."""
        ranking = self._rungs.setdefault(epoch, RungRanking(epoch, self._room))
        ranking.catch_up(history)
        return ranking


def _gone(history: History, number: int, epoch: int) -> bool:
    trial = history.trials[number]
    return trial.epoch > epoch or not (trial.outcome is None or trial.resumable)
