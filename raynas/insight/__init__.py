"""The views of a run: tables, texts, plots and TensorBoard files, made from its history only."""

from __future__ import annotations

from typing import Protocol

from raynas.trial import Event, History


class Watcher(Protocol):
    """Receives the events of a run while it is running."""

    def write(self, event: Event, history: History) -> None:
        """Receive an event; ``history`` contains it already."""
