"""What people see of a run: read from its history, and from nothing else."""

from __future__ import annotations

from typing import Protocol

from raynas.trial import Event, History


class Watcher(Protocol):
    """Follows a run while it goes on."""

    def write(self, event: Event, history: History) -> None:
        """Take note of ``event``, which ``history`` holds already."""
