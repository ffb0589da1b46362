"""Where the files of a run lie: its own, and those that its settings name.

A run's description has the folder that it was begun in. So a run can be taken up from another
folder, and after it was moved, alone or with the user's files.
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

_REFERENCES: Final = ("space", "task", "searcher", "scheduler")
# What runs and their users' shells write, so that a folder without a journal may hold it.
_OF_RUNS: Final = ("trial-*", "checkpoints", "winner", "proxies", "journal.*", "events.out.*")
_BESIDE: Final = (".*", "lost+found", "*.log", "*.txt", "*.out", "*.err", "*.yaml", "*.yml")
_SHOWN: Final = 3  # names in a message
_LOG = logging.getLogger("raynas")


def check_output(output: Path) -> None:
    """Refuse a folder that holds other things than a run.

    Raises:
        ConfigError: It does, or it is no folder.
    """
    if exists(output) or not output.exists():
        return
    if not output.is_dir():
        raise ConfigError(f"output must be a folder, got {output}, which is a file")
    try:
        names = sorted(path.name for path in output.iterdir())
    except OSError as error:
        raise ConfigError(f"output must be a folder that can be read: {error}") from error
    known = (*_OF_RUNS, *_BESIDE)
    if others := [name for name in names if not any(fnmatch(name, one) for one in known)]:
        more = ", …" if len(others) > _SHOWN else ""
        raise ConfigError(
            "output must be a new folder, an empty one or that of a run: "
            f"{output.absolute()} holds {', '.join(others[:_SHOWN])}{more}; name a folder in it, "
            "such as " + str(output / "run")
        )


def take_up(output: Path, run: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run's settings with paths that lead to its files from the working folder.

    Modules of the folder that the run was begun in can be imported, too.

    Args:
        output: Where the run's folder is now.
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


def paths_now(output: Path, run: Mapping[str, Any]) -> dict[str, str]:
    """Return the settings whose paths do not lead to the run's files from the working folder.

    Files are looked for in the folder that the run was begun in: where it is now if it was moved
    together with the run's folder, else where it was.

    Args:
        output: Where the run's folder is now.
        run: The description of the run.

    Returns:
        Absolute paths, by the name of the setting.
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


def _bases(output: Path, run: Mapping[str, Any]) -> Iterator[Path]:
    if "folder" in run:  # no older raynas has begun it
        began = Path(run["folder"])
        to_output = os.path.relpath(began, began / run["experiment"]["output"])
        yield Path(os.path.normpath(output.absolute() / to_output))
        yield began


def _file(reference: str) -> bool:
    return reference.partition(":")[0].endswith(".py")


def _is_module(reference: Any) -> bool:
    return isinstance(reference, str) and "." in reference and not _file(reference)
