"""Telling watchers what happens; one that raises is not told any more, and the run goes on."""

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
        told: Those that have not raised.
    """

    told: list[Watcher]

    def write(self, event: Event, history: History) -> None:
        """Tell each of an event, which ``history`` holds already."""
        for watcher in tuple(self.told):
            try:
                watcher.write(event, history)
            except Exception as error:  # noqa: BLE001 - a watcher may be a user's
                self.told.remove(watcher)
                said = "the watcher %s raised %s: %s; it is not told of anything else"
                name = type(watcher).__name__
                _LOG.warning(said, name, type(error).__name__, error, exc_info=error)
