"""The winner's training, which is Tune's last trial, because a trial's worker has torch loaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from raynas.execution.trial_spec import TrialSpec
from raynas.execution.winner import WinnerEvent


@dataclass(slots=True)
class FinalTraining:
    """The training of the winner, which starts when no trial runs and none will start.

    Attributes:
        choose: Returns the specification of the training; none if there is nothing to train.
        take: Receives each event of the training.
    """

    choose: Callable[[], TrialSpec | None]
    take: Callable[[WinnerEvent], None]


NOTHING_FINAL: Final = FinalTraining(lambda: None, lambda _: None)
"""For a run without a winner."""
