"""Follows a run into TensorBoard: scalars per trial, and the decisions in the HParams tab.

One event file per trial and process, written with TensorBoard's own records: no thread, no queue,
no torch. A resumed run adds files to the same folders and writes new events only.

Tags are grouped, for TensorBoard shows one group after the other in the order of their names:
``epoch/`` how well training goes, ``network/`` parameters and FLOPs, ``other/``, ``proxies/`` how
well they rank what is trained (by the number of finished trials), ``winner/``.
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

_COSTS: Final = frozenset({"params", "flops"})  # alike in every epoch: one point is enough


def run_name(number: int) -> str:
    """Return the name under which TensorBoard shows a trial, such as ``trial-0007``."""
    return f"trial-{number:04d}"


class TensorBoard:
    """Writes what TensorBoard reads, as it happens."""

    def __init__(
        self, folder: Path, decisions: Mapping[str, Decision], objectives: Sequence[Objective]
    ) -> None:
        """Write nothing yet.

        Args:
            folder: What ``tensorboard --logdir`` is given, or a folder in it.
            decisions: What the space decides (``Space.decisions``): columns of the HParams tab,
                where TensorBoard shows the first five and offers the others.
            objectives: What the run optimises: further columns, with parameters and FLOPs.
        """
        self._folder = folder
        self._decisions = decisions
        self._objectives = objectives
        self._files: dict[int, _File] = {}
        self._proxies: _File | None = None
        self._begun = False

    def write(self, event: Event, history: History) -> None:
        """Write ``event``, which ``history`` holds already, so that it can be seen at once.

        With the first event, trials without a folder (of a run resumed with another folder) are
        written too.
        """
        if isinstance(event, Opened | WinnerEpoch) or (isinstance(event, Winner) and event.folder):
            return  # a winner is written when it is tested; that it is exported is no number
        if not self._begun:
            self._begin(event, history)
        if isinstance(event, Winner):
            file = _File(self._folder / "winner")
            tags = {f"winner/{name}": value for name, value in event.metrics.items()}
            file.write(_scalars(tags), event.at)
            file.close()
        else:
            self._follow(event, history.trials[event.number])
            if isinstance(event, Finished):
                self._compare(event, history)

    def close(self) -> None:
        """Close the files that more might have been written into."""
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
        # The columns stand in a trial's file: in a file of their own they would look like a run.
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
        """Write how well proxies rank what is trained, if they were asked about this trial."""
        asked = history.trials[event.number].started.screening.mode in {"chosen", "blind"}
        if asked and (found := rank_correlation(history)):
            if self._proxies is None:
                self._proxies = _File(self._folder / "proxies")
            tags = {"proxies/rank_correlation": found.spearman}
            self._proxies.write(_scalars(tags), event.at, len(history.finished))

    def _file(self, trial: Trial) -> _File:
        """Return the trial's open file; a new one begins with the trial's row."""
        if trial.number not in self._files:
            name = run_name(trial.number)
            file = self._files[trial.number] = _File(self._folder / name)
            file.write(hparams.row(self._decisions, name, trial.started), trial.started.at)
        return self._files[trial.number]


class _File:
    """An event file of its own in a folder; what is written can be read at once."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        # TensorBoard reads a folder's files in the order of their names.
        path = folder / f"events.out.tfevents.{time.time_ns()}.raynas"
        self._records = RecordWriter(path.open("xb"))
        self._append(Record(wall_time=time.time(), file_version="brain.Event:2"))

    def write(self, summary: Any, at: float, step: int = 0) -> None:
        self._append(Record(wall_time=at, step=step, summary=summary))

    def close(self) -> None:
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
    return f"epoch/{metric}" if metric.startswith(("train_", "val_")) else f"other/{metric}"


def _scalars(values: Mapping[str, float]) -> Any:
    return Summary(
        value=[Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()]
    )
