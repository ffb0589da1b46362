"""A history of trials whose full length is not known in advance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from raynas.trial import Failed, Finished, History, Objective, Report, Started

Told = Started | Report | Finished | Failed


class OpenHistory:
    """The events of trials, and the history that is built from them.

    If the full length is not known, it is the number of epochs of the longest training so far,
    and a trial that ended earlier counts as stopped early. If a trial trains longer than that,
    the history is built again with the new length.

    Attributes:
        told: The events, in order. Their ``epochs`` and ``stopped`` are not used: both are
            computed from the full length.
    """

    def __init__(self, objectives: Sequence[Objective], epochs: int | None) -> None:
        """Begin without events.

        Args:
            objectives: The objectives of the search.
            epochs: The full length of a trial; none for the longest training so far.
        """
        self.told: list[Told] = []
        self._objectives = tuple(objectives)
        self._grows = epochs is None
        self._epochs = self._folded = epochs or 1
        self._history = History(self._objectives)

    @property
    def epochs(self) -> int:
        """The full length of a trial: the known one, or the longest training so far."""
        return self._epochs

    @property
    def loose(self) -> History:
        """The history; the lengths, and which trials were stopped early, may be outdated."""
        return self._history

    @property
    def history(self) -> History:
        """The history with the current full length."""
        # It is built again only here, and not in ``apply``, because every report of the first
        # trial changes the full length.
        if self._folded < self._epochs:
            self._history, self._folded = History(self._objectives), self._epochs
            for event in self.told:
                self._fold(event)
        return self._history

    def apply(self, event: Told) -> None:
        """Add one event.

        Raises:
            JournalError: The event contradicts an earlier one.
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
