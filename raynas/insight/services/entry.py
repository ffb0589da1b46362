"""What a service is told of a trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from raynas.space import Value

Step = tuple[int, Mapping[str, float]]
"""An epoch, and the metrics after it by name."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A trial, or the winner, that a service shows as one run.

    Attributes:
        search: The name of the search, which no other search has.
        name: The name in the search, such as ``trial-0007`` or ``winner``.
        decided: The architecture: the values by their paths.
        steps: What is new, in ascending epochs. A trial that was paused and went on has an entry
            for each part.
        status: How it ended, in words.
        failed: Whether it failed.
    """

    search: str
    name: str
    decided: Mapping[str, Value]
    steps: Sequence[Step] = field(default_factory=tuple)
    status: str = "finished"
    failed: bool = False


class Service(Protocol):
    """Passes entries to a service; made without arguments, in the thread that calls it."""

    def log(self, entry: Entry) -> None:
        """Add an entry; one of a known name is added to what there is.

        Raises:
            Exception: The service does not take it.
        """
