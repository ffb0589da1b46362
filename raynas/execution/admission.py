"""Which trial starts now. This module does not use Ray."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from raynas.execution.packing import FreeResources, Resources
from raynas.trial import Trial

_WAITING: Final = 2  # at most so many proposed trials wait; later proposals use more results
_OVERTAKEN: Final = 8  # at most so many trials start before one that waits for a large share


class Admission:
    """Decides which trial starts now; it proposes trials as late as possible.

    The resources of a trial are known once it is proposed. A trial that does not fit waits. Some
    smaller trials may start before it, so that workers are not idle, but not without limit.
    """

    def __init__(self, room: FreeResources, usual: Resources) -> None:
        """Admit trials into ``room``; a trial is assumed to need ``usual`` until it is known."""
        self.room = room
        self._latest = usual
        self._known = {usual}
        self._waiting: list[tuple[Trial, Resources]] = []
        self._overtaken = 0

    @property
    def waiting(self) -> bool:
        """Whether a proposed trial waits because it does not fit yet."""
        return bool(self._waiting)

    @property
    def starved(self) -> bool:
        """Whether no trial can start before the cluster has grown, or a trial has ended."""
        return self.waiting or not any(map(self.room.fits, self._known))

    def lacking(self, wanted: int) -> list[Resources]:
        """Return the resources of trials that would start now if there was more room.

        Args:
            wanted: How many trials should run at once.
        """
        waiting = [share for _, share in self._waiting]
        more = max(wanted - len(self.room.trials), 0)
        shares = (waiting + [self._latest] * more)[:more]
        return self.room.lacking(shares)

    def next(self, ask: Callable[[], tuple[Trial, Resources] | None]) -> Trial | None:
        """Return the trial to start now, with its resources reserved; none if none fits.

        Args:
            ask: Returns the next trial and its resources, which fit on an empty node; none if
                there is no trial now.
        """
        patient = self._overtaken < _OVERTAKEN
        for at, (trial, share) in enumerate(self._waiting if patient else self._waiting[:1]):
            if self.room.fits(share):
                del self._waiting[at]
                self._overtaken = self._overtaken + 1 if at else 0
                self.room.take(trial.number, share)
                return trial
        while patient and self._may_ask() and (asked := ask()):
            trial, share = asked
            self._known.add(share)
            self._latest = share
            if self.room.fits(share):
                self._overtaken += bool(self._waiting)
                self.room.take(trial.number, share)
                return trial
            self._waiting.append(asked)
        return None

    def _may_ask(self) -> bool:
        return len(self._waiting) < _WAITING and any(map(self.room.fits, self._known))
