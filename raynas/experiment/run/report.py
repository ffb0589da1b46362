"""Write the report of a run into one HTML file."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, Final

from raynas import __version__, journal
from raynas.errors import ConfigError, JournalError, SpaceError, StorageError
from raynas.experiment.command_line import repetition
from raynas.experiment.run.drawing import drawing_of
from raynas.experiment.run.paused_trials import paused_trials
from raynas.experiment.run.places import taken_home
from raynas.insight.report.page import page
from raynas.insight.report.run import HowToRepeat, Run
from raynas.journal import Replay
from raynas.oneshot.search import FOLDER, SHARED
from raynas.space import Decision, Space
from raynas.space.codec import from_data
from raynas.storage import Location, location, store_of
from raynas.storage.patience import reason
from raynas.trial import History

NAME: Final = "report.html"
_SUFFIXES: Final = (".html", ".htm")


def report(
    output: Location | str, file: Location | str | None = None, space: Any = None
) -> Location:
    """Write the report of a run; this is safe while the run is running.

    Args:
        output: The run folder.
        file: The HTML file to write; none for ``report.html`` in the run folder. For a run in an
            object store, that is a folder of its name here.
        space: The space of the run, as for ``search``, whose drawing is used; none for the space
            that the journal names, if it is one of raynas's own.

    Returns:
        The file.

    Raises:
        ConfigError: The file is not an HTML file or cannot be written, or there is no such space.
        JournalError: The folder contains no run that can be read.
    """
    folder = location("the run folder", output)
    replay = journal.read(folder)
    path = _checked(location("--output", file)) if file else taken_home(folder) / NAME
    text = page(_run(folder, replay, space), datetime.now(UTC), __version__)
    try:
        store_of(path.parent).write({path.name: text.encode(errors="replace")})
    except StorageError as error:
        raise ConfigError(
            f"the report cannot be written to {path}: {reason(error.__cause__ or error)}: give a "
            "file that can be written, with --output"
        ) from error
    return path


def _checked(path: Location) -> Location:
    """Return the path of a report if it names an HTML file in a folder that is there."""
    if PurePosixPath(path.name).suffix.lower() not in _SUFFIXES:
        raise ConfigError(f"a report must be a file that ends in .html, got {path}")
    if isinstance(path, Path) and not path.parent.is_dir():
        raise ConfigError(f"there is no folder {path.parent} to write {path.name} to")
    return path


def _run(folder: Location, replay: Replay, space: Any) -> Run:
    described, history = replay.run, replay.history
    settings: Mapping[str, Any] = described.get("experiment", {})
    decisions, fault = _decisions(described, history)
    drawing = drawing_of(described, decisions, space)
    supernets, unread = _supernets(folder)
    return Run(
        name=folder.absolute().name,
        history=history,
        description=described,
        decisions=decisions,
        graph_of=drawing.graph_of,
        repeat=_repeat(folder, settings),
        paused_trials=paused_trials(settings, history),
        notes=[*fault, *drawing.notes, *unread],
        supernets=supernets,
    )


def _decisions(
    described: Mapping[str, Any], history: History
) -> tuple[Mapping[str, Decision], list[str]]:
    """Return the decisions that the journal describes; without them, a sentence that says so."""
    try:
        decisions = Space(from_data(described.get("space"))).decisions
    except (SpaceError, TypeError, ValueError) as error:
        return {}, [
            f"The journal does not describe the space, so decisions are not shown: {error}."
        ]
    for trial in history.trials.values():
        for path, value in trial.architecture.items():
            if path not in decisions or not decisions[path].domain.contains(value):
                return {}, [
                    f"Decisions are not shown, because trial {trial.number} does not fit the "
                    f"space that the journal describes: {path} is {value!r}."
                ]
    return decisions, []


def _repeat(folder: Location, settings: Mapping[str, Any]) -> HowToRepeat:
    if str(settings.get("objective")).startswith(SHARED):
        said = f"These are the supernets of another run, which trains them: see {folder.parent}."
        return HowToRepeat("", [said])
    if not settings:
        return HowToRepeat("", ["The journal has no settings, so there is no command."])
    told = repetition(settings, f"{settings.get('output', folder)}-again")
    notes = ["This command repeats the run in another folder."]
    if told.file:
        notes.append("It reads settings that no option can give: save them as settings.json.")
    if told.unknown:
        notes.append(
            f"No command can give {', '.join(told.unknown)}: these were objects in a program, or "
            "this version of raynas does not know them. Repeat the run from that program."
        )
    return HowToRepeat(told.command, notes, told.file)


def _supernets(folder: Location) -> tuple[History | None, list[str]]:
    """Return the run that trained the supernets of a run; if it is damaged, a sentence."""
    if not journal.exists(folder / FOLDER):
        return None, []
    try:
        return journal.read(folder / FOLDER).history, []
    except JournalError as error:
        return None, [f"The supernets cannot be shown: {error}."]
