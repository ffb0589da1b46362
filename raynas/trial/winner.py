"""The events of the winner: one frozen class per event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

EPOCHS_LEFT: Final = "epochs_left"
"""What a final training reports after each epoch; only its last report has scores."""


@dataclass(frozen=True, slots=True)
class WinnerEpoch:
    """The winner's training has come so far.

    Attributes:
        number: The trial it was chosen from.
        epoch: Epochs trained so far, counted from 1.
        epochs: How many there will be.
        at: The time, as in ``Started``.
    """

    number: int
    epoch: int
    epochs: int
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Winner:
    """The architecture chosen by validation, after its single test on the test data.

    It is recorded twice: as soon as it is tested, and again when it is exported.

    Attributes:
        number: The trial it was chosen from.
        metrics: The results, such as ``test_accuracy`` (a fraction).
        folder: Where it was exported, relative to the run folder; empty until it is.
        at: The time, as in ``Started``.
        reason: If it is not the trial with the best score, why, in one line; else empty.
        front: With several objectives, the trials on the Pareto front that the searcher expects
            on new data; empty if the searcher makes no such estimate.
        missing: Which file of it is missing, and why; empty if none is.
    """

    number: int
    metrics: Mapping[str, float]
    folder: str
    at: float = 0.0
    reason: str = ""
    front: tuple[int, ...] = ()
    missing: str = ""

    def __repr__(self) -> str:
        """Show the trial and the results of the test, in one line."""
        parts = [f"Winner, trial {self.number}"]
        parts += [f"{name} {value:.4g}" for name, value in self.metrics.items()]
        return f"<{', '.join([*parts, self.folder or 'not exported yet'])}>"
