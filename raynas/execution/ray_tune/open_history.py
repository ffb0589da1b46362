"""A history of trials of which nobody has said how long they train."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from raynas.trial import Failed, Finished, History, Objective, Report, Started

Told = Started | Report | Finished | Failed


class OpenHistory:
    """What was told of trials, and the history it makes.

    Without a known length the longest training so far is a full one, and whoever ended below was
    stopped. When one goes on longer, the history is folded anew: what had looked like a full
    training before does so no more.

    Attributes:
        told: The events, in their order; their lengths, and who was stopped, do not count.
    """

    def __init__(self, objectives: Sequence[Objective], epochs: int | None) -> None:
        """Begin before anything has happened.

        Args:
            objectives: What is optimised.
            epochs: The full length of a trial; none for the longest so far.
        """
        self.told: list[Told] = []
        self._objectives = tuple(objectives)
        self._grows = epochs is None
        self._epochs = self._folded = epochs or 1
        self._history = History(self._objectives)

    @property
    def epochs(self) -> int:
        """The full length of a trial, as far as is known."""
        return self._epochs

    @property
    def loose(self) -> History:
        """What happened, but for the lengths, and for who was stopped."""
        return self._history

    @property
    def history(self) -> History:
        """All that happened."""
        # Only when it is asked for: a first trial of many epochs makes the length grow with each.
        if self._folded < self._epochs:
            self._history, self._folded = History(self._objectives), self._epochs
            for event in self.told:
                self._fold(event)
        return self._history

    def apply(self, event: Told) -> None:
        """Take in one event.

        Raises:
            JournalError: It does not fit what happened before.
        """
        self._fold(event)
        self.told.append(event)
        if self._grows and isinstance(event, Report):
            self._epochs = max(self._epochs, event.epoch)

    def _fold(self, event: Told) -> None:
        match event:
            case Started():
                event = replace(event, epochs=self._epochs)
            case Finished():
                source = event.number if event.answered_by is None else event.answered_by
                epoch = self._history.trials[source].epoch
                event = replace(event, stopped=epoch < self._epochs)
        self._history.apply(event)
