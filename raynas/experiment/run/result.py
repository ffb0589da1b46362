"""The result of a search."""

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
    """The current state of a run.

    Attributes:
        output: The run folder.
        history: All events of the run.
        described: The latest settings, as the journal has them.
    """

    output: Path
    history: History
    described: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def best(self) -> Trial | None:
        """The best trial by its validation score; none before a trial has finished."""
        return self.history.best

    @property
    def winner(self) -> Winner | None:
        """The winner with its test results; none before it was tested."""
        return self.history.winner

    @property
    def paused_trials(self) -> Collection[int]:
        """The numbers of the trials that the scheduler has paused and may resume."""
        return paused_trials(self.described, self.history)

    def leaderboard(self) -> pd.DataFrame:
        """Return one row for each trial, the best first."""
        from raynas.insight.leaderboard import leaderboard  # noqa: PLC0415 - loads pandas

        return leaderboard(self.history)


def load(output: Path | str) -> Result:
    """Return the run in a folder; this is safe while the run is running.

    Raises:
        ConfigError: The path is empty, or not on this machine.
        JournalError: The folder contains no run.
    """
    folder = local_path("the run folder", output)
    replay = journal.read(folder)
    return Result(folder, replay.history, replay.run.get("experiment", {}))
