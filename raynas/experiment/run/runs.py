"""Find the runs in a folder, and say of each in brief what it is and how far it is."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final

from raynas import journal
from raynas.errors import ConfigError, RaynasError
from raynas.insight.outcome_counts import leading
from raynas.insight.text.runs import NoRun, RunInBrief, State
from raynas.storage import Location, store_of
from raynas.storage.patience import reason
from raynas.trial import Failed, History

_AT_ONCE: Final = 8  # runs that are read side by side
_DEPTH: Final = 4  # the levels of folders that are searched for runs
_VALIDATION: Final = "val_"
_TEST: Final = "test_"


def runs_in(folder: Location) -> list[RunInBrief | NoRun]:
    """Return every run in a folder and below it, by name, and the folders that hold none.

    Nothing inside of a run is searched. Hidden folders and links are left out.

    Raises:
        ConfigError: There is no such folder, or it cannot be read.
    """
    if journal.exists(folder):
        return [_brief(folder.parent, folder)]
    with ThreadPoolExecutor(_AT_ONCE) as threads:  # each waits for a store, if it is in one
        found = threads.map(partial(_briefs, folder), _below(folder))
        return [one for each in found for one in each]


def _briefs(base: Location, folder: Location) -> list[RunInBrief | NoRun]:
    try:
        runs = _run_folders(folder, _DEPTH - 1)
    except OSError as error:
        return [NoRun(folder.name, f"it cannot be read: {reason(error)}")]
    except RaynasError as error:
        return [NoRun(folder.name, str(error))]
    return [_brief(base, run) for run in runs] or [NoRun(folder.name, "it holds no run")]


def run_folders(folder: Location) -> list[Location]:
    """Return the folders of all runs in a folder and below it, by name.

    Raises:
        ConfigError: There is no such folder, or it cannot be read.
    """
    if journal.exists(folder):
        return [folder]
    return [run for path in _below(folder) for run in _run_folders(path, _DEPTH - 1)]


def _below(folder: Location) -> list[Location]:
    try:
        return _folders(folder)
    except OSError as error:
        raise ConfigError(
            f"a folder that holds run folders must be given, got {folder}: {reason(error)}"
        ) from error


def _folders(folder: Location) -> list[Location]:
    return [folder / name for name in store_of(folder).folders()]


def _run_folders(folder: Location, depth: int) -> list[Location]:
    if journal.exists(folder):
        return [folder]
    below = _folders(folder) if depth else []
    return [run for path in below for run in _run_folders(path, depth - 1)]


def _brief(base: Location, folder: Location) -> RunInBrief | NoRun:
    name = str(folder.relative_to(str(base)))
    try:
        replay = journal.read(folder)
        size = sum(store_of(folder).sizes().values())
    except RaynasError as error:
        return NoRun(name, str(error))
    except OSError as error:
        return NoRun(name, f"it cannot be read: {reason(error)}")
    settings, history = replay.run.get("experiment") or {}, replay.history
    best, objective = leading(history.trials.values()), history.objectives[0].metric
    winner = history.winner
    return RunInBrief(
        folder=name,
        space=_name(settings, "space"),
        task=_name(settings, "task"),
        searcher=_name(settings, "searcher"),
        objective=objective,
        trials=history.trained,
        limit=settings.get("trials"),
        best=best.metrics[objective] if best else None,
        best_trial=best.number if best else None,
        winner=winner.number if winner else None,
        test=winner.metrics.get(objective.replace(_VALIDATION, _TEST, 1)) if winner else None,
        state=_state(folder, history),
        seconds_ago=max(time.time() - history.last.at, 0.0) if history.last else None,
        size=size,
    )


def _name(settings: Mapping[str, Any], part: str) -> str:
    named = settings.get(part)
    return named if isinstance(named, str) else ""


def _state(folder: Location, history: History) -> State:
    if journal.is_being_written(folder):
        return "running"
    if history.winner and history.winner.folder:
        return "ended"
    trials = history.trials.values()
    failed = trials and all(isinstance(trial.outcome, Failed) for trial in trials)
    return "failed" if failed else "interrupted"
