"""The winner's training as the last trial that Tune is given: its worker has torch loaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from raynas.execution.winner import WinnerEvent
from raynas.execution.worker import TrialSpec


@dataclass(slots=True)
class FinalTraining:
    """What a run does once no trial runs and none will start.

    Attributes:
        choose: Returns what to train, once; none if there is nothing to do.
        take: Is told of each event.
    """

    choose: Callable[[], TrialSpec | None]
    take: Callable[[WinnerEvent], None]
