"""Write a run for TensorBoard: the story of the search, and the trials.

TensorBoard calls each folder a run. The run ``search`` comes first and tells the story: the best
score so far over trials, epochs and seconds, the leaderboard, the best architectures, what workers
did, how trials ended, and more. A trial's run has its learning curves and its row in the HParams
tab; of a long search only some trials have one (see ``insight.board.shown``).

Each run has one event file per process, written with TensorBoard's record writer: without threads,
queues or torch. A resumed run adds files to the same folders, with new events only.

The tags have groups, which TensorBoard shows in alphabetical order: ``all trials/`` and
``analysis/`` (the story), ``epoch/`` (the metrics of training and validation), ``network/``
(the drawing, parameters and FLOPs), ``other/``, ``proxies/`` (how well they rank trained networks,
by the number of ended trials) and ``winner/``.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

from raynas.insight.board import hparams
from raynas.insight.board.album import Album
from raynas.insight.board.event_file import EventFile
from raynas.insight.board.shown import Best, in_sample
from raynas.insight.board.story import Point, Story, layout
from raynas.insight.board.summaries import image, markdown, scalars
from raynas.insight.board.table import as_markdown
from raynas.insight.graphs import GraphOf, chains_of
from raynas.space import Decision
from raynas.storage import Location, store_of
from raynas.trial import (
    Event,
    Failed,
    Finished,
    History,
    Objective,
    Opened,
    Outcome,
    Report,
    Resized,
    Trial,
    TrialEvent,
    Winner,
    WinnerEpoch,
)

_LOG = logging.getLogger("raynas")

_COSTS: Final = frozenset({"params", "flops"})  # constant over epochs: one point is enough


def run_name(number: int) -> str:
    """Return the name under which TensorBoard shows a trial, such as ``trial-0007``."""
    return f"trial-{number:04d}"


class TensorBoard:
    """Writes each event for TensorBoard as soon as it happens."""

    def __init__(
        self,
        folder: Location,
        decisions: Mapping[str, Decision],
        objectives: Sequence[Objective],
        graph_of: GraphOf | None = None,
    ) -> None:
        """Write nothing yet.

        Args:
            folder: The folder or the address for ``tensorboard --logdir``, or a folder inside it.
            decisions: The decisions of the space (``Space.decisions``), which are the columns of
                the HParams tab. TensorBoard shows the first five; the user can select others.
            objectives: The objectives of the run; they are columns too, like parameters and FLOPs.
            graph_of: Makes the graphs of architectures that are drawn. None for their decisions.
        """
        self._store = store_of(folder)
        self._decisions = decisions
        self._objectives = objectives
        self._files: dict[int, EventFile] = {}
        self._search: EventFile | None = None
        self._history = History()
        self._story = Story(objectives)
        self._best = Best()
        self._album = Album(decisions, graph_of or chains_of(decisions), self._keep)
        self._at = 0.0
        self._changed = False  # whether the leaderboard has, since it was written
        self._listed = 0
        self._begun = False
        self._runs: set[str] = set()

    def write(self, event: Event, history: History) -> None:
        """Write an event, which TensorBoard can read at once; ``history`` contains it already.

        The first call also writes what has no folder yet, for example after the run was resumed
        with another folder.
        """
        if isinstance(event, Opened | Resized | WinnerEpoch):
            return
        if isinstance(event, Winner) and event.folder:
            return  # the winner was written after its test; the export has no numbers
        if not self._begun:
            self._begin(event, history)
        self._at = event.at
        if isinstance(event, Winner):
            file = EventFile(self._store, "winner")
            tags = {f"winner/{name}": value for name, value in event.metrics.items()}
            file.write(scalars(tags), event.at)
            file.close()
            return
        trial = history.trials[event.number]
        self._story.spent(event)
        notable = isinstance(event, Finished) and self._best.add(trial)
        self._follow(event, trial, notable=notable)
        if isinstance(event, Finished | Failed):
            self._tell(event, self._story.points(event, history))
            self._changed |= notable
            if self._changed and self._story.ended >= _OFTEN * self._listed:
                self._list()
            self._album.follow(history, self._best.trials, self._story.ended)

    def _list(self) -> None:
        """Write the leaderboard."""
        text = as_markdown(self._history, self._best.trials)
        self._searched().write(markdown("leaderboard", text), self._at, self._story.ended)
        self._changed, self._listed = False, self._story.ended

    def close(self) -> None:
        """Draw the last pictures, and close all open files."""
        if self._begun and self._story.ended:
            try:
                if self._changed:
                    self._list()
                self._album.end(self._history, self._best.trials)
            except OSError as error:  # the run has ended, and a full disk was said before
                _LOG.warning("the last pictures for TensorBoard were not written: %s", error)
        while self._files:
            self._files.popitem()[1].close()
        if self._search is not None:
            self._search.close()
            self._search = None

    def _begin(self, event: TrialEvent, history: History) -> None:
        """Write what happened before this event, as far as it has no folder."""
        self._begun = True
        self._history = history
        self._runs = set(self._store.names())
        new = _SEARCH not in self._runs
        for outcome, points in self._story.past(history, event):
            self._best.add(history.trials[outcome.number])
            if new:
                self._tell(outcome, points)
        for trial in history.trials.values():
            if in_sample(trial.number) and run_name(trial.number) not in self._runs:
                reports = trial.reports if trial.trained else ()
                for past in (trial.started, *reports, trial.outcome):
                    if past is not None and past != event:
                        self._follow(past, trial)
        if new:
            metrics = [objective.metric for objective in self._objectives] + ["params", "flops"]
            columns = hparams.columns(self._decisions, dict.fromkeys(map(_tag, metrics)))
            curve = _tag(self._objectives[0].metric)
            charts = layout(self._objectives, curve, regret=history.best_known is not None)
            for summary in (columns, charts):
                self._searched().write(summary, event.at)

    def _shows(self, number: int) -> bool:
        return in_sample(number) or run_name(number) in self._runs

    def _follow(self, event: TrialEvent, trial: Trial, *, notable: bool = False) -> None:
        """Write an event of a trial that is shown; write all of a trial that is shown from now."""
        if self._shows(trial.number):
            self._write(event, trial)
        elif notable:
            for past in (*trial.reports, event):
                self._write(past, trial)

    def _write(self, event: TrialEvent, trial: Trial) -> None:
        file = self._file(trial)
        match event:
            case Report():
                first = event.epoch == trial.reports[0].epoch
                file.write(_report(event, first=first), event.at, event.epoch)
            case Finished(answered_by=int()):
                last = trial.reports[-1]
                file.write(_report(last, first=True), event.at, last.epoch)
        if isinstance(event, Finished | Failed):
            file.write(hparams.row_end(event), event.at)
            file.close()
            del self._files[trial.number]

    def _tell(self, outcome: Outcome, points: Sequence[Point]) -> None:
        for step, values in points:
            self._searched().write(scalars(values), outcome.at, step)

    def _keep(self, tag: str, png: bytes, number: int | None) -> None:
        """Write a picture: of the search, or of a trial."""
        if number is None:
            self._searched().write(image(tag, png), self._at, self._story.ended)
        elif number in self._files:  # it has been resumed
            self._files[number].write(image(tag, png), self._at)
        elif self._shows(number):
            file = EventFile(self._store, run_name(number))
            file.write(image(tag, png), self._at)
            file.close()

    def _searched(self) -> EventFile:
        if self._search is None:
            self._search = EventFile(self._store, _SEARCH)
        return self._search

    def _file(self, trial: Trial) -> EventFile:
        """Return the trial's open file; a new file begins with the trial's HParams row."""
        if trial.number not in self._files:
            name = run_name(trial.number)
            file = self._files[trial.number] = EventFile(self._store, name)
            self._runs.add(name)
            file.write(hparams.row(self._decisions, name, trial.started), trial.started.at)
        return self._files[trial.number]


_SEARCH: Final = "search"
_OFTEN: Final = 1.1  # the number of trials grows so much between two leaderboards


def _report(report: Report, *, first: bool) -> Any:
    shown = {**report.metrics, "seconds": report.seconds}
    return scalars({_tag(name): v for name, v in shown.items() if first or name not in _COSTS})


def _tag(metric: str) -> str:
    if metric in _COSTS:
        return f"network/{metric}"
    if "/" in metric:  # it has a group of its own
        return metric
    return f"epoch/{metric}" if metric.startswith(("train_", "val_")) else f"other/{metric}"
