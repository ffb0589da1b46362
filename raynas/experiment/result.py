"""What a search leaves behind."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from raynas import journal
from raynas.trial import History, Trial, Winner

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Result:
    """A run as it stands.

    Attributes:
        output: The run folder.
        history: Everything that happened.
    """

    output: Path
    history: History

    @property
    def best(self) -> Trial | None:
        """The best trial on validation; none before one has finished."""
        return self.history.best

    @property
    def winner(self) -> Winner | None:
        """The winner and what it reached on the test data; none before it was tested."""
        return self.history.winner

    def leaderboard(self) -> pd.DataFrame:
        """Return every trial, best first."""
        from raynas.insight.leaderboard import leaderboard  # noqa: PLC0415 - loads pandas

        return leaderboard(self.history)


def load(output: Path | str) -> Result:
    """Return the run in a folder, whoever may be writing it.

    Raises:
        JournalError: There is none.
    """
    return Result(Path(output), journal.read(Path(output)).history)
