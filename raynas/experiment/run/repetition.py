"""What is trained again after a search, and how often."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from raynas.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Repetition:
    """What is trained again, and how often.

    Attributes:
        top: How many architectures: the best by their score in the search, and the winner.
        trials: The numbers of trials of the search; if there are any, these instead.
        seeds: How often each is trained on each fold, with different training seeds.
        epochs: How long; none for as long as the winner of the search.
        folds: Into how many parts training and validation data are divided, of which each
            training leaves out another; 1 to train on all of them.

    Raises:
        ConfigError: A number is below 1.
    """

    top: int = 3
    trials: Sequence[int] = ()
    seeds: int = 3
    epochs: int | None = None
    folds: int = 1

    def __post_init__(self) -> None:
        """Check the numbers."""
        for name in ("top", "seeds", "epochs", "folds"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or value < 1):
                raise ConfigError(f"{name} must be at least 1, got {value}")
