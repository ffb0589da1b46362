"""What a search leaves behind."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raynas import journal
from raynas.experiment.run.paused_trials import paused_trials
from raynas.options import local_path
from raynas.trial import History, Trial, Winner

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Result:
    """A run as it stands.

    Attributes:
        output: The run folder.
        history: Everything that happened.
        described: The settings it was last taken up with, as the journal has them.
    """

    output: Path
    history: History
    described: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def best(self) -> Trial | None:
        """The best trial on validation; none before one has finished."""
        return self.history.best

    @property
    def winner(self) -> Winner | None:
        """The winner and what it reached on the test data; none before it was tested."""
        return self.history.winner

    @property
    def paused_trials(self) -> Collection[int]:
        """The trials that the scheduler has paused and may yet let go on."""
        return paused_trials(self.described, self.history)

    def leaderboard(self) -> pd.DataFrame:
        """Return every trial, best first."""
        from raynas.insight.leaderboard import leaderboard  # noqa: PLC0415 - loads pandas

        return leaderboard(self.history)


def load(output: Path | str) -> Result:
    """Return the run in a folder, whoever may be writing it.

    Raises:
        JournalError: There is none.
    """
    folder = local_path("the run folder", output)
    replay = journal.read(folder)
    return Result(folder, replay.history, replay.run.get("experiment", {}))
