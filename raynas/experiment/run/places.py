"""Find the files of a run, and the user's files that its settings name.

The description of a run contains the folder in which the run was begun. So a run can be resumed
from another folder, and after it was moved, with or without the user's files.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final

from raynas.errors import ConfigError
from raynas.experiment.resolve.user_code import look_in
from raynas.journal import exists
from raynas.storage import Location, store_of
from raynas.storage.address import ADDRESS

_REFERENCES: Final = ("space", "task", "searcher", "scheduler")
# Files of runs and of the user's shell; a folder without a journal may contain them.
_OF_RUNS: Final = (
    "trial-*",
    "checkpoints",
    "winner",
    "proxies",
    "supernets",
    "retrained",
    "export",
    "journal.*",
    "events.out.*",
)
_BESIDE: Final = (".*", "lost+found", "*.log", "*.txt", "*.out", "*.err", "*.yaml", "*.yml")
_WRITTEN_INTO: Final = ("checkpoints", "winner", "supernets")
_SHOWN: Final = 3  # names in a message
_LOG = logging.getLogger("raynas")


def check_output(output: Location) -> None:
    """Check that a location is a new folder, an empty one, or the folder of a run.

    Raises:
        ConfigError: It is a file, a folder with other contents, or the folder of a run with links
            that lead out of it.
        StorageError: It is in an object store that cannot be written.
    """
    store = store_of(output)
    if exists(output):
        store.guard("", *_WRITTEN_INTO)
        return
    store.check()
    try:
        names = store.names()
    except OSError as error:
        raise ConfigError(f"output must be a folder that can be read: {error}") from error
    known = (*_OF_RUNS, *_BESIDE)
    if others := [name for name in names if not any(fnmatch(name, one) for one in known)]:
        more = ", …" if len(others) > _SHOWN else ""
        raise ConfigError(
            "output must be a new folder, an empty one or that of a run: "
            f"{store.location} holds {', '.join(others[:_SHOWN])}{more}; give a new folder "
            "inside it, such as " + str(output / "run")
        )


def taken_home(run: Location) -> Path:
    """Return the folder for what people take home of a run, such as a report.

    It is that of the run; if the run is in an object store, one of its name on this machine.
    """
    return run if isinstance(run, Path) else Path(run.name)


def take_up(output: Location, run: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run's settings, with paths that are correct from the current working folder.

    This also makes the modules of the folder in which the run was begun importable.

    Args:
        output: The folder of the run.
        run: The description of the run.
    """
    settings, moved = run["experiment"], paths_now(output, run)
    if any(_is_module(settings.get(name)) for name in _REFERENCES):
        for base in reversed([*_bases(output, run)]):
            look_in(base)
    if moved:
        said = ", ".join(f"{name} {path}" for name, path in moved.items())
        _LOG.info("the run was begun in %s and uses the files there: %s", run["folder"], said)
    return {**settings, **moved}


def paths_now(output: Location, run: Mapping[str, Any]) -> dict[str, str]:
    """Return the paths in a run's settings that are wrong from the current working folder.

    The files are searched in the folder in which the run was begun: first at its new place, if it
    was moved together with the folder of the run, then at its old place.

    Args:
        output: The folder of the run.
        run: The description of the run.

    Returns:
        The correct absolute paths, by the name of the setting.
    """
    found = {}
    for name in (*_REFERENCES, "data_dir"):
        given = run["experiment"].get(name)
        if name == "data_dir" or (isinstance(given, str) and _file(given)):
            path, colon, attribute = str(given).partition(":")
            there = next(
                (one / path for one in _bases(output, run) if (one / path).exists()), None
            )
            if there and os.path.realpath(there) != os.path.realpath(path):
                found[name] = f"{there}{colon}{attribute}"
    return found


def _bases(output: Location, run: Mapping[str, Any]) -> Iterator[Path]:
    if "folder" not in run:  # runs of an older raynas have no folder
        return
    began = Path(run["folder"])
    if isinstance(output, Path) and not ADDRESS.match(run["experiment"]["output"]):
        to_output = os.path.relpath(began, began / run["experiment"]["output"])
        yield Path(os.path.normpath(output.absolute() / to_output))
    yield began


def _file(reference: str) -> bool:
    return reference.partition(":")[0].endswith(".py")


def _is_module(reference: Any) -> bool:
    return isinstance(reference, str) and "." in reference and not _file(reference)
