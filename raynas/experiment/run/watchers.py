"""Call watchers for each event; a watcher that raises is removed, and the run continues."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from raynas.insight import Watcher
from raynas.trial import Event, History

_LOG = logging.getLogger("raynas")


@dataclass(slots=True)
class Watchers:
    """The watchers of a run.

    Attributes:
        told: The watchers that have not raised an error.
    """

    told: list[Watcher]

    def write(self, event: Event, history: History) -> None:
        """Pass an event to each watcher; ``history`` contains the event already."""
        for watcher in tuple(self.told):
            try:
                watcher.write(event, history)
            except Exception as error:  # noqa: BLE001 - a watcher may be a user's
                self.told.remove(watcher)
                said = "the watcher %s raised %s: %s; it gets no more events, the run continues"
                name = type(watcher).__name__
                _LOG.warning(said, name, type(error).__name__, error, exc_info=error)
