"""Bring a run folder back from a cluster."""

from __future__ import annotations

import shlex
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

import requests

from raynas.errors import ConfigError, ResourceError
from raynas.execution.ray_jobs.jobs import Jobs
from raynas.execution.ray_tune.token import token
from raynas.json_text import parsed

_PATIENCE: Final = 600.0  # seconds for the cluster to start a job, and for that to pack
_CHUNK: Final = 2**20  # bytes


def fetch(jobs: Jobs, url: str, there: str, here: Path) -> int:
    """Bring a folder of a cluster's head node here; return how many files it has.

    Files that are here already are replaced.

    Args:
        jobs: The jobs of the cluster.
        url: The address of its dashboard.
        there: The folder, absolute or below the home folder of the node.
        here: Where its files are written.

    Raises:
        ConfigError: There is no such folder.
        ResourceError: The cluster did not pack it, or the download broke.
    """
    with _packed(jobs, there) as place, tempfile.TemporaryFile() as file:
        _download(url, place, file)
        try:
            with zipfile.ZipFile(file) as archive:
                archive.extractall(here)  # never outside: zipfile drops ".." and roots
                return len(archive.namelist())
        except zipfile.BadZipFile as error:
            raise ResourceError(f"the download of {there} is damaged, so try again") from error


@contextmanager
def _packed(jobs: Jobs, there: str) -> Iterator[dict[str, str]]:
    """Let a job on the cluster pack the folder; yield where the archive lies."""
    name = jobs.run(f"python -m raynas.execution.ray_jobs.packing {shlex.quote(there)}")
    until = time.monotonic() + _PATIENCE
    try:
        while (place := _place(jobs.text(name))) is None:
            if jobs.ended(name) or time.monotonic() > until:
                _give_up(jobs.text(name))
            time.sleep(0.3)
        yield place
    finally:
        jobs.stop(name)


def _place(text: str) -> dict[str, str] | None:
    for line in text.splitlines():
        if line.startswith('{"raynas": '):
            place: dict[str, str] = parsed(line)["raynas"]
            return place
    return None


def _give_up(said: str) -> None:
    last = (said.strip().splitlines() or ["it said nothing"])[-1]
    if last.startswith("there is no folder"):
        raise ConfigError(f"{last} on the cluster: give the run folder as it was given to submit")
    raise ResourceError(f"the cluster did not pack the run folder: {last}")


def _download(url: str, place: dict[str, str], file: IO[bytes]) -> None:
    asked: dict[str, Any] = {"node_id": place["node"], "filename": place["file"], "lines": -1}
    try:
        with requests.get(
            f"{url}/api/v0/logs/file", asked, headers=dict(token()), stream=True, timeout=60
        ) as answer:
            answer.raise_for_status()
            for chunk in answer.iter_content(_CHUNK):
                file.write(chunk)
    except requests.RequestException as error:
        raise ResourceError(f"the download broke, so try again: {error}") from error
