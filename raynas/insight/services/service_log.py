"""Pass the trials of a run to a service in another thread, because services are slow."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from queue import SimpleQueue
from threading import Thread
from typing import Final

from raynas.insight.services.entry import Entry, Service
from raynas.insight.wording import status
from raynas.storage import Location
from raynas.trial import Event, Failed, Finished, History, Trial, Winner

_LOG = logging.getLogger("raynas")
_PATIENCE: Final = 60.0  # seconds for what is left when the run ends


class ServiceLog:
    """Tells a service of each trial that has ended, in a thread of its own, and of the winner.

    What had ended before the first event was told by an earlier process.
    """

    def __init__(self, name: str, make: Callable[[], Service], output: Location) -> None:
        """Tell nothing yet.

        Args:
            name: The name of the service.
            make: Connects to it.
            output: The folder of the run, of which the search is named.
        """
        self._name = name
        self._make = make
        self._output = output
        self._told: dict[int, int] | None = None  # the last epoch, by trial
        self._queue: SimpleQueue[Entry | None] = SimpleQueue()
        self._error: Exception | None = None
        self._said = False
        self._thread = Thread(target=self._work, name=f"raynas-{name}", daemon=True)

    def write(self, event: Event, history: History) -> None:
        """Tell of a trial that has ended, or of the winner; nothing more after an error."""
        if self._error is not None:
            self._say_error()
            return
        if self._told is None:
            ended = (*history.finished, *history.failed)
            self._told = {one.number: one.epoch for one in ended if one.outcome != event}
            self._thread.start()
        if isinstance(event, Finished | Failed):
            trial = history.trials[event.number]
            since, self._told[trial.number] = self._told.get(trial.number, 0), trial.epoch
            self._queue.put(_entry(self._search(history), trial, since))
        elif isinstance(event, Winner) and not event.folder:  # its export has no numbers
            decided = history.trials[event.number].architecture
            steps = ((0, event.metrics),)
            self._queue.put(Entry(self._search(history), "winner", decided, steps))

    def close(self) -> None:
        """Wait until the service has what there is, but not for ever."""
        if self._told is None:
            return
        self._queue.put(None)
        self._thread.join(_PATIENCE)
        if self._error is not None:
            self._say_error()
        elif self._thread.is_alive():
            _LOG.warning("%s did not take all trials within %.0f s", self._name, _PATIENCE)

    def _say_error(self) -> None:
        if not self._said:
            self._said = True
            _LOG.warning(
                "%s did not take a trial (%s: %s): it gets no more, the search goes on",
                self._name,
                type(self._error).__name__,
                self._error,
            )

    def _work(self) -> None:
        try:
            service = self._make()
            while (entry := self._queue.get()) is not None:
                service.log(entry)
        except Exception as error:  # noqa: BLE001 - said at the next event
            self._error = error

    def _search(self, history: History) -> str:
        """Return the name of the search: that of its folder, and when it began."""
        began = history.sessions[0].opened.at if history.sessions else 0.0
        name = str(self._output).rstrip("/").rpartition("/")[2]
        return f"{name}-{datetime.fromtimestamp(began, UTC):%Y%m%d-%H%M%S}"


def _entry(search: str, trial: Trial, since: int) -> Entry:
    steps = [(one.epoch, one.metrics) for one in trial.reports if one.epoch > since]
    name = f"trial-{trial.number:04d}"
    failed = isinstance(trial.outcome, Failed)
    return Entry(search, name, trial.architecture, steps, status(trial), failed)
