"""The result of a search."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from raynas import journal
from raynas.errors import SpaceError
from raynas.experiment.run.paused_trials import paused_trials
from raynas.experiment.run.plots import Plots
from raynas.space import Decision, Space
from raynas.space.codec import from_data
from raynas.storage import Location, location
from raynas.trial import History, Trial, Winner

if TYPE_CHECKING:
    import pandas as pd

    from raynas.insight.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Result(Plots):
    """The current state of a run.

    Attributes:
        output: The run folder.
        history: All events of the run.
        described: The latest settings, as the journal has them.
        tree: The space, as the journal has it.
    """

    output: Location
    history: History
    described: Mapping[str, Any] = field(default_factory=dict)
    tree: Any = None

    def __repr__(self) -> str:
        """Show the folder, what ended how, and the best trial, in one line."""
        from raynas.insight.text.summary import counts  # noqa: PLC0415 - loads rich

        return f"<Result of {self.output}, {counts(self.history)}, best {self.best}>"

    def _repr_html_(self) -> str:
        """Return what a notebook shows: counts, the best trials, the winner, its drawing."""
        from raynas.insight.notebook.html import result_html  # noqa: PLC0415 - loads pandas

        return result_html(str(self.output), self.history, self._drawing())

    def _drawing(self) -> str:
        """Return the winner, or else the best trial, as ``<svg>``; empty if there is neither."""
        from raynas.experiment.run.drawing import drawing_of  # noqa: PLC0415 - to draw only
        from raynas.insight.figures import svg  # noqa: PLC0415
        from raynas.insight.pictures.architecture import picture  # noqa: PLC0415

        trial = self.history.trials[self.winner.number] if self.winner else self.best
        if trial is None:
            return ""
        try:
            drawing = drawing_of({"experiment": self.described}, self.decisions)
            graph = drawing.graph_of(trial.architecture)
        except SpaceError:
            return ""
        return svg(picture(graph, f"trial {trial.number}"))

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

    @property
    def decisions(self) -> Mapping[str, Decision]:
        """The decisions of the space, by path.

        Raises:
            SpaceError: The journal does not describe the space.
        """
        return Space(from_data(self.tree)).decisions

    def leaderboard(self) -> pd.DataFrame:
        """Return one row for each trial, the best first."""
        from raynas.insight.leaderboard import leaderboard  # noqa: PLC0415 - loads pandas

        return leaderboard(self.history)

    def trials(self) -> pd.DataFrame:
        """Return one row for each trial, in the order they started, with a column per decision."""
        from raynas.insight.notebook.frames import trials  # noqa: PLC0415 - loads pandas

        return trials(self.history)

    def reports(self) -> pd.DataFrame:
        """Return one row for each report: the metrics of a trial after an epoch."""
        from raynas.insight.notebook.frames import reports  # noqa: PLC0415 - loads pandas

        return reports(self.history)

    def importance(self) -> Mapping[str, float]:
        """Return how much each decision matters; empty if there are too few networks.

        See ``plot_importance``.
        """
        from raynas.insight.importance import importance  # noqa: PLC0415

        return importance(self.history, self.decisions)

    def verdict(self, control: Result | None = None) -> Verdict:
        """Return whether the search is better than random search.

        Args:
            control: A run of the searcher ``random`` with the same space, task and epochs; none
                to compare with the random trials of this run.
        """
        from raynas.insight.verdict import verdict  # noqa: PLC0415

        return verdict(self.history, control.history if control else None)


def load(output: Location | str) -> Result:
    """Return the run in a folder; this is safe while the run is running.

    Raises:
        ConfigError: The path is empty, or no address of a store.
        JournalError: The folder contains no run.
    """
    folder = location("the run folder", output)
    replay = journal.read(folder)
    settings = replay.run.get("experiment", {})
    return Result(folder, replay.history, settings, replay.run.get("space"))
