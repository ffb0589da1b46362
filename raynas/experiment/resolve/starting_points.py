"""Architectures to begin a search with: from another run, from a file, or given as they are."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from raynas.errors import ConfigError, SpaceError
from raynas.journal import exists, read
from raynas.options import local_path
from raynas.searchers.selection import rank
from raynas.space import Architecture, Space
from raynas.storage import Location, location
from raynas.yaml12 import parse_file

_BEST: Final = 10  # of a run
_LOG = logging.getLogger("raynas")


def starting_points(source: Any, space: Space) -> tuple[Architecture, ...]:
    """Return the architectures to begin with, each network once.

    What does not fit the space is left out, and the log says how many that were.

    Args:
        source: A run folder, for the ten best of its finished trials that fit; a JSON file of one
            architecture or a list of them, such as a winner's ``architecture.json``; or a list of
            architectures.
        space: Where they must live.

    Raises:
        ConfigError: There is nothing to be found there, or nothing of it fits.
        JournalError: The run cannot be read.
    """
    if isinstance(source, str | Location):
        name, path = str(source), location("start_from", source)
        is_run = exists(path)
        found = _from_run(path) if is_run else _from_file(local_path("start_from", name))
        most = _BEST if is_run else len(found)
    else:
        name, found, most = "the given list", _listed(source), len(source)
    return tuple(_fitting(name, found, space).values())[:most]


def _fitting(name: str, found: Sequence[Any], space: Space) -> Mapping[str, Architecture]:
    fitting: dict[str, Architecture] = {}
    reasons = []
    for values in found:
        try:
            architecture = space.architecture(values)
        except SpaceError as error:
            reasons.append(str(error))
        else:
            fitting.setdefault(space.identity(architecture), architecture)
    if not fitting:
        why = f"the first: {reasons[0]}" if reasons else "there is none"
        raise ConfigError(f"no architecture of {name} fits this space ({why})")
    if reasons:
        _LOG.warning(
            "%d of %d architectures of %s do not fit this space and are left out (the first: %s)",
            len(reasons),
            len(found),
            name,
            reasons[0],
        )
    return fitting


def _from_run(folder: Location) -> Sequence[Mapping[str, Any]]:
    return [trial.architecture for trial in sorted(read(folder).history.finished, key=rank)]


def _from_file(path: Path) -> Sequence[Mapping[str, Any]]:
    data = parse_file(path, f"{path}, neither a run folder nor a file of architectures,")
    if isinstance(data, dict):
        data = [data.get("architecture", data)]
    return _listed(data)


def _listed(data: Any) -> Sequence[Mapping[str, Any]]:
    if not isinstance(data, list | tuple) or not all(isinstance(one, Mapping) for one in data):
        raise ConfigError(
            "architectures to start from must be a list of decisions by path, "
            f"[{{'path': value, ...}}, ...], got {data!r:.80}"
        )
    return data
