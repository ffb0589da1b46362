"""Write a run for TensorBoard: scalars of each trial, and its decisions in the HParams tab.

Each trial has one event file per process, written with TensorBoard's record writer: without
threads, queues or torch. A resumed run adds files to the same folders, with new events only.

The tags have groups, which TensorBoard shows in alphabetical order: ``epoch/`` (the metrics of
training and validation), ``network/`` (parameters and FLOPs), ``other/``, ``proxies/`` (how well
they rank trained networks, by the number of finished trials) and ``winner/``.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tensorboard.compat.proto.event_pb2 import Event as Record
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

from raynas.insight import hparams
from raynas.searchers.rank_correlation import rank_correlation
from raynas.space import Decision
from raynas.trial import (
    Event,
    Failed,
    Finished,
    History,
    Objective,
    Opened,
    Report,
    Trial,
    TrialEvent,
    Winner,
    WinnerEpoch,
)

_COSTS: Final = frozenset({"params", "flops"})  # constant over epochs: one point is enough


def run_name(number: int) -> str:
    """Return the name under which TensorBoard shows a trial, such as ``trial-0007``."""
    return f"trial-{number:04d}"


class TensorBoard:
    """Writes each event for TensorBoard as soon as it happens."""

    def __init__(
        self, folder: Path, decisions: Mapping[str, Decision], objectives: Sequence[Objective]
    ) -> None:
        """Write nothing yet.

        Args:
            folder: The folder for ``tensorboard --logdir``, or a folder inside it.
            decisions: The decisions of the space (``Space.decisions``), which are the columns of
                the HParams tab. TensorBoard shows the first five; the user can select others.
            objectives: The objectives of the run; they are columns too, like parameters and FLOPs.
        """
        self._folder = folder
        self._decisions = decisions
        self._objectives = objectives
        self._files: dict[int, EventFile] = {}
        self._proxies: EventFile | None = None
        self._begun = False

    def write(self, event: Event, history: History) -> None:
        """Write an event, which TensorBoard can read at once; ``history`` contains it already.

        The first call also writes the trials that have no folder yet, for example after the run
        was resumed with another folder.
        """
        if isinstance(event, Opened | WinnerEpoch) or (isinstance(event, Winner) and event.folder):
            return  # the winner was written after its test; the export has no numbers
        if not self._begun:
            self._begin(event, history)
        if isinstance(event, Winner):
            file = EventFile(self._folder / "winner")
            tags = {f"winner/{name}": value for name, value in event.metrics.items()}
            file.write(_scalars(tags), event.at)
            file.close()
        else:
            self._follow(event, history.trials[event.number])
            if isinstance(event, Finished):
                self._compare(event, history)

    def close(self) -> None:
        """Close all open files."""
        while self._files:
            self._files.popitem()[1].close()
        if self._proxies is not None:
            self._proxies.close()
            self._proxies = None

    def _begin(self, event: TrialEvent, history: History) -> None:
        self._begun = True
        for trial in history.trials.values():
            if not (self._folder / run_name(trial.number)).exists():
                reports = trial.reports if trial.trained else ()
                for past in (trial.started, *reports, trial.outcome):
                    if past is not None and past != event:
                        self._follow(past, trial)
        # The columns are in a trial's file, because TensorBoard shows each folder as a run.
        metrics = [objective.metric for objective in self._objectives] + ["params", "flops"]
        columns = hparams.columns(self._decisions, dict.fromkeys(map(_tag, metrics)))
        self._file(history.trials[event.number]).write(columns, event.at)

    def _follow(self, event: TrialEvent, trial: Trial) -> None:
        file = self._file(trial)
        match event:
            case Report():
                file.write(
                    _report(event, first=event.epoch == trial.reports[0].epoch),
                    event.at,
                    event.epoch,
                )
            case Finished(answered_by=int()):
                last = trial.reports[-1]
                file.write(_report(last, first=True), event.at, last.epoch)
        if isinstance(event, Finished | Failed):
            file.write(hparams.row_end(event), event.at)
            file.close()
            del self._files[trial.number]

    def _compare(self, event: Finished, history: History) -> None:
        """Write how well proxies rank trained networks, if this trial was screened."""
        asked = history.trials[event.number].started.screening.mode in {"chosen", "blind"}
        if asked and (found := rank_correlation(history)):
            if self._proxies is None:
                self._proxies = EventFile(self._folder / "proxies")
            tags = {"proxies/rank_correlation": found.spearman}
            self._proxies.write(_scalars(tags), event.at, len(history.finished))

    def _file(self, trial: Trial) -> EventFile:
        """Return the trial's open file; a new file begins with the trial's HParams row."""
        if trial.number not in self._files:
            name = run_name(trial.number)
            file = self._files[trial.number] = EventFile(self._folder / name)
            file.write(hparams.row(self._decisions, name, trial.started), trial.started.at)
        return self._files[trial.number]


class EventFile:
    """A new event file in a folder; TensorBoard can read each record at once."""

    def __init__(self, folder: Path) -> None:
        """Begin a file; the folder is made if need be."""
        folder.mkdir(parents=True, exist_ok=True)
        # TensorBoard reads a folder's files in the order of their names.
        path = folder / f"events.out.tfevents.{time.time_ns()}.raynas"
        self._records = RecordWriter(path.open("xb"))
        self._append(Record(wall_time=time.time(), file_version="brain.Event:2"))

    def write(self, summary: Any, at: float, step: int = 0) -> None:
        """Write a summary."""
        self._append(Record(wall_time=at, step=step, summary=summary))

    def close(self) -> None:
        """Close the file."""
        self._records.close()

    def _append(self, record: Any) -> None:
        self._records.write(record.SerializeToString())
        self._records.flush()


def _report(report: Report, *, first: bool) -> Any:
    shown = {**report.metrics, "seconds": report.seconds}
    return _scalars({_tag(name): v for name, v in shown.items() if first or name not in _COSTS})


def _tag(metric: str) -> str:
    if metric in _COSTS:
        return f"network/{metric}"
    if "/" in metric:  # it has a group of its own
        return metric
    return f"epoch/{metric}" if metric.startswith(("train_", "val_")) else f"other/{metric}"


def _scalars(values: Mapping[str, float]) -> Any:
    return Summary(
        value=[Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()]
    )
