"""Who stands how at a rung, kept in order as reports come in."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Mapping
from itertools import islice

from raynas.schedulers.rungs import Place, place
from raynas.trial import History, Losses


class RungRanking:
    """Those who reported after one epoch, best first.

    So many of the best are contenders: they may yet go on from here. Whoever has ever been behind
    that many is out for good, even if there is room for more later on, when others are worse: what
    it would need to go on is then gone. That follows from the order in which they came.
    """

    def __init__(self, epoch: int, room: Callable[[int], int]) -> None:
        """Begin without anybody.

        Args:
            epoch: Their epoch.
            room: How many contenders there are among so many.
        """
        self._epoch = epoch
        self._room = room
        self._all: list[Place] = []
        self._open: list[Place] = []  # contenders, and some who went on or failed
        self._reached: Mapping[int, Losses] = {}

    def catch_up(self, history: History) -> None:
        """Take in who has reported since."""
        self._reached = history.at(self._epoch)
        if len(self._reached) > len(self._all):
            for number in [*self._reached][len(self._all) :]:
                insort(self._all, place(number, self._reached[number]))
                insort(self._open, place(number, self._reached[number]))
                room = self._room(len(self._all))
                while self._open and bisect_left(self._all, self._open[-1]) >= room:
                    del self._open[-1]

    def __len__(self) -> int:
        """Return how many they are."""
        return len(self._all)

    def __getitem__(self, at: int) -> int:
        """Return the trial in a place, counted from 0."""
        return self._all[at][2]

    def of(self, number: int) -> int:
        """Return a trial's place, counted from 0."""
        return bisect_left(self._all, place(number, self._reached[number]))

    def better(self, number: int) -> int:
        """Return how many have a lower loss than a trial."""
        return bisect_left(self._all, place(number, self._reached[number])[:2])

    def waiting(self, history: History) -> Iterator[int]:
        """Yield the contenders who were stopped here and can go on, best first.

        Who went on from here, or failed, never waits here again; as these are the best most of
        all, forgetting those at the head keeps the way to the first who waits short.
        """
        trials = history.trials
        while self._open and _gone(history, self._open[0][2], self._epoch):
            del self._open[0]
        for *_, number in self._open:
            if trials[number].resumable and trials[number].epoch == self._epoch:
                yield number


class RungRankings:
    """All rungs of a history."""

    def __init__(self, room: Callable[[int], int] = lambda count: count) -> None:
        """Begin without any.

        Args:
            room: How many contenders there are among so many; all, if nothing else is said.
        """
        self._room = room
        self._rungs: dict[int, RungRanking] = {}
        self._longest = self._seen = 0

    def at(self, history: History, epoch: int) -> RungRanking:
        """Return who stands how after ``epoch``."""
        ranking = self._rungs.setdefault(epoch, RungRanking(epoch, self._room))
        ranking.catch_up(history)
        return ranking

    def longest(self, history: History) -> int:
        """Return the epochs of the longest trial; 0 if there is none."""
        if len(history.trials) > self._seen:
            fresh = islice(history.trials.values(), self._seen, None)
            self._longest = max(self._longest, *(trial.started.epochs for trial in fresh))
            self._seen = len(history.trials)
        return self._longest


def _gone(history: History, number: int, epoch: int) -> bool:
    trial = history.trials[number]
    return trial.epoch > epoch or not (trial.outcome is None or trial.resumable)
