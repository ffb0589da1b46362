"""The folder of a run: its journal, its checkpoints and its winner."""

from __future__ import annotations

import filecmp
import json
import logging
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from raynas import __version__
from raynas.errors import JournalError, ResourceError, SpaceError
from raynas.experiment.experiment import Experiment
from raynas.experiment.resolve.resolved import ResolvedExperiment
from raynas.experiment.resolve.user_code import code_of, module_file
from raynas.experiment.run.checkpoints import Checkpoints
from raynas.experiment.run.places import paths_now
from raynas.journal import Journal, exists, read
from raynas.space.codec import to_data
from raynas.storage import Location, store_of
from raynas.training.exported import FILES
from raynas.trial import History

WINNER: Final = "winner"
_CHECKPOINTS: Final = "checkpoints"
_CODE: Final = ("space", "task", "searcher", "scheduler")  # settings that may name a user's code
_LIBRARIES: Final = ("torch", "ray", "numpy")
_LOG = logging.getLogger("raynas")


def open_run(experiment: Experiment, resolved: ResolvedExperiment, journal: Journal) -> History:
    """Begin the journal; if it exists, check that it belongs to this experiment and replay it.

    Raises:
        JournalError: The folder contains the run of another experiment; the message lists the
            differences.
    """
    described = _described(experiment, resolved)
    if not exists(experiment.output):
        journal.begin(described)
        return History(
            experiment.objectives,
            constraints=experiment.constraints,
            best_known=experiment.best_known,
        )
    replay = read(experiment.output)
    _compare(experiment, described, replay.run)
    if replay.torn:
        journal.repair(replay)
        _LOG.warning(
            "the last line of the journal was torn (%d bytes of an event that was not completely "
            "written when the run was killed): it was removed",
            replay.torn,
        )
    _say_changes(described["code"], replay.run.get("code"))
    if described != {name: replay.run.get(name) for name in described}:
        journal.change(described)  # only settings that may change, such as the number of trials
    replay.history.best_known = experiment.best_known
    return replay.history


@contextmanager
def undone_if_empty(journal: Journal, history: History, *parts: Location) -> Iterator[None]:
    """Delete a new run whose space or resources do not fit, so that others can be tried.

    Args:
        journal: Its journal.
        history: What has happened in it.
        parts: The folders of runs that belong to it; if one of them has begun, it is kept.
    """
    try:
        yield
    except (SpaceError, ResourceError):
        if history.last is None and not any(map(exists, parts)):
            journal.withdraw()
        raise


def checkpoints(output: Location) -> Checkpoints:
    """Return the checkpoint files of a run."""
    return Checkpoints(store_of(output).location / _CHECKPOINTS)


def clear_partial(output: Location) -> None:
    """Delete the incomplete files of processes that were killed."""
    store_of(output).tidy("", WINNER, _CHECKPOINTS)


def keep_winner(
    output: Location, files: Mapping[str, bytes], card: Mapping[str, Any] | None = None
) -> None:
    """Write files of the winner; when this returns, they survive a power cut.

    Args:
        output: The run folder.
        files: The contents, by file name.
        card: The contents of ``architecture.json``, which describes the winner. If it is given,
            the files of an earlier winner are deleted first.

    Raises:
        StorageError: A file cannot be written.
    """
    store, contents = store_of(output), dict(files)
    if card is not None:
        store.delete(*(f"{WINNER}/{name}" for name in FILES))
        contents["architecture.json"] = (json.dumps(card, indent=2) + "\n").encode()
    # The journal says next that they are there, and it may reach the disk first.
    store.write({f"{WINNER}/{name}": content for name, content in contents.items()})


def _described(experiment: Experiment, resolved: ResolvedExperiment) -> dict[str, Any]:
    described = {
        "raynas": __version__,
        "versions": _versions(),
        "experiment": experiment.described(),
        "folder": str(Path.cwd()),
        "objectives": [asdict(objective) for objective in experiment.objectives],
        "constraints": [asdict(constraint) for constraint in experiment.constraints],
        "best_known": experiment.best_known,
        "space": to_data(resolved.space.space.tree),
        "data": resolved.data.describe(),
        "code": code_of([*_references(experiment).values(), resolved.space.build]),
        "modules": _modules(experiment.described()),
    }
    plain: dict[str, Any] = json.loads(json.dumps(described))  # equal to what is read later
    return plain


def _versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that results depend on the most."""
    return {"python": platform.python_version(), **{name: version(name) for name in _LIBRARIES}}


def _references(experiment: Experiment) -> dict[str, Any]:
    return {name: getattr(experiment, name) for name in _CODE}


def _modules(described: Mapping[str, Any]) -> dict[str, str]:
    """Return the files of the user's modules that the settings name, by setting."""
    references = {name: described.get(name) for name in _CODE}
    files = {name: module_file(one) for name, one in references.items() if isinstance(one, str)}
    return {name: str(file) for name, file in files.items() if file is not None}


def check_modules(output: Location, run: Mapping[str, Any]) -> None:
    """Check that the user's modules are the files with which the run was begun.

    A file with the same contents is the same module. Nothing is imported for this check.

    Raises:
        JournalError: A module would be imported from another file.
    """
    known = run.get("modules", {})
    for name, file in _modules(run["experiment"]).items():
        there = Path(known.get(name, file))
        if Path(file) != there and not (
            there.is_file() and filecmp.cmp(file, there, shallow=False)
        ):
            raise JournalError(
                f"the run in {output} was begun with {run['experiment'][name]!r} from {there}, "
                f"but now it would be imported from {file}: change to the folder of the first "
                "file, then resume the run"
            )


def check_unchanged(resolved: ResolvedExperiment, run: Mapping[str, Any]) -> None:
    """Check that the space and the data are those of a recorded run; warn if code has changed.

    Args:
        resolved: The experiment of the run, with its objects as they are now.
        run: The description of the run.

    Raises:
        JournalError: The space or the data have changed since; the message says what.
    """
    described = _described(resolved.experiment, resolved)
    _compare(resolved.experiment, described, run)
    _say_changes(described["code"], run.get("code"))


def _say_changes(code: Mapping[str, str], recorded: Mapping[str, str] | None) -> None:
    """Warn the user if files have changed since the run was last started."""
    if recorded is None:
        return  # an older raynas began the run; it recorded no digests
    changed = [name for name in {**recorded, **code} if recorded.get(name) != code.get(name)]
    if changed:
        _LOG.warning(
            "your code has changed since this run was last started (%s): its trials so far were "
            "trained with the old code",
            ", ".join(changed),
        )


def _compare(
    experiment: Experiment, described: Mapping[str, Any], recorded: Mapping[str, Any]
) -> None:
    known = {**recorded["experiment"], **paths_now(experiment.output, recorded)}
    differences = experiment.differences(known)
    if recorded["space"] != described["space"]:
        other = _unordered(recorded["space"]) != _unordered(described["space"])
        differences.append(
            "the space has other decisions"
            if other
            else "the options of the space are in another order (a list made from a set has "
            "another order in each process: write the list out)"
        )
    if recorded["data"] != described["data"]:
        differences.append("the data or their split are different")
    if differences:
        raise JournalError(
            f"{experiment.output} holds another run: {'; '.join(differences)}. "
            "Choose another output folder, or the settings with which the run was begun"
        )


def _unordered(described: Any) -> Any:
    """Return a described space without the order of its options."""
    if isinstance(described, Mapping):
        return {name: _unordered(part) for name, part in described.items()}
    if isinstance(described, list):
        return sorted(map(json.dumps, map(_unordered, described)))
    return described
