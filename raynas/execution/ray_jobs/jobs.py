"""Raynas commands as jobs of a cluster: begun, followed, ended."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from raynas.errors import ConfigError, ResourceError
from raynas.execution.ray_jobs.folder import check_size, excluded

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient

_COMMAND: Final = "raynas"  # in a job's metadata: what it runs
_FOLDER: Final = "raynas_folder"  # and where
_ABSENT: Final = 86  # the exit status of a job on a node without raynas
_ENDED: Final = frozenset({"SUCCEEDED", "FAILED", "STOPPED"})
_GRACE: Final = "60"  # seconds that Ray gives a job to end after a signal; raynas needs 30
_STARTS: Final = "No available agent"  # in the answer of a head node that has just been started
_TRIES: Final = 3  # of which each takes ten seconds
_NONE: Final[Mapping[str, Any]] = MappingProxyType({})
_ENTRY: Final = (
    'python -c "import raynas" || {{ echo "raynas is missing on $(hostname)"; exit {absent}; }}; '
    'mkdir -p "$HOME"/{folder} && cp -R . "$HOME"/{folder} && cd "$HOME"/{folder} && '
    # Workers get what they need from the search, so the folder need not travel to each of them.
    "unset RAY_JOB_CONFIG_JSON_ENV_VAR && "
    "exec python -m {command}"
)


@dataclass(frozen=True, slots=True)
class Job:
    """A job of raynas.

    Attributes:
        name: The name by which the cluster knows it.
        status: ``PENDING``, ``RUNNING``, ``SUCCEEDED``, ``FAILED`` or ``STOPPED``.
        command: What it runs, such as ``search --trials 40``.
        folder: Where it runs, below the home folder of its node.
        began: When it was submitted, in seconds since 1970.
        exit_code: The exit status of its command; none before it has ended.
        message: What Ray says about its status.
    """

    name: str
    status: str
    command: str
    folder: str
    began: float
    exit_code: int | None
    message: str

    @property
    def ended(self) -> bool:
        """Whether it does not run any more."""
        return self.status in _ENDED

    @property
    def lacks_raynas(self) -> bool:
        """Whether it ended because its node has no raynas."""
        return self.exit_code == _ABSENT


class Jobs:
    """The jobs of raynas on one cluster."""

    def __init__(self, client: JobSubmissionClient) -> None:
        """Use a client of the cluster."""
        self._client = client

    def submit(self, command: Sequence[str], folder: Path, name: str) -> Job:
        """Begin a raynas command in a copy of a folder on the cluster's head node.

        The copy lies in ``raynas/NAME`` below the home folder there. It stays, with the run
        folders in it, so that a run can be resumed and fetched.

        Args:
            command: A command and its options, such as ``["search", "--trials", "40"]``.
            folder: The folder that holds the user's files.
            name: The name of the copy.

        Raises:
            ConfigError: There is no such folder, it is too large, or the name is not one.
            ResourceError: The cluster does not take the job.
        """
        if not folder.is_dir():
            raise ConfigError(f"--working-dir must be a folder, got {folder}")
        without = excluded(folder)
        check_size(folder, without)
        place = shlex.quote(f"raynas/{_checked(name)}")
        entry = _ENTRY.format(
            absent=_ABSENT, folder=place, command=shlex.join(["raynas", *command])
        )
        environment = {
            "working_dir": str(folder),
            "excludes": without,
            "env_vars": {"RAY_JOB_STOP_WAIT_TIME_S": _GRACE},
        }
        labels = {_COMMAND: shlex.join(command), _FOLDER: f"raynas/{name}"}
        return self.find(self.run(entry, labels, environment))

    def run(
        self,
        entry: str,
        labels: Mapping[str, str] = _NONE,
        environment: Mapping[str, Any] = _NONE,
    ) -> str:
        """Begin a job; return its name.

        Args:
            entry: A line for the shell of the head node.
            labels: What the cluster notes about the job.
            environment: Its environment, as Ray calls it.

        Raises:
            ResourceError: The cluster does not take the job.
        """
        for left in reversed(range(_TRIES)):
            try:
                begun = self._client.submit_job(
                    entrypoint=entry, metadata=dict(labels), runtime_env=dict(environment)
                )
                return str(begun)
            except (RuntimeError, ValueError, OSError) as error:
                if not left or _STARTS not in str(error):
                    raise ResourceError(_refusal(error)) from error
        raise AssertionError("the last try returns or raises")

    def all(self) -> list[Job]:
        """Return the jobs that raynas has begun on the cluster, the latest one last."""
        told = [one for one in self._client.list_jobs() if _COMMAND in (one.metadata or {})]
        return sorted(map(_job, told), key=lambda job: job.began)

    def find(self, name: str | None) -> Job:
        """Return the job of a name; without one, the latest.

        Raises:
            ConfigError: There is none.
        """
        jobs = self.all()
        if not jobs:
            raise ConfigError("raynas has begun no job on this cluster: begin one, raynas submit")
        if name is None:
            return jobs[-1]
        found = [job for job in jobs if job.name == name]
        if not found:
            known = ", ".join(job.name for job in jobs)
            raise ConfigError(f"no job {name!r} on this cluster; there are {known}")
        return found[0]

    def follow(self, job: Job, show: Callable[[str], Any]) -> Job:
        """Show what a job writes, from its beginning until it ends; return it as it is then.

        Args:
            job: The job.
            show: Receives parts of the text, one after the other.

        Raises:
            ResourceError: The connection to the cluster broke; the job goes on.
        """

        async def read() -> None:
            async for text in self._client.tail_job_logs(job.name):
                show(text)

        try:
            asyncio.run(read())
        except (RuntimeError, OSError) as error:
            raise ResourceError(
                f"the connection to the cluster broke, and the job goes on: {_line(error)}. To "
                f"follow it again: raynas logs {job.name}"
            ) from error
        return self.find(job.name)

    def text(self, name: str) -> str:
        """Return what a job has written so far."""
        return str(self._client.get_job_logs(name))

    def ended(self, name: str) -> bool:
        """Return whether a job does not run any more."""
        return _status(self._client.get_job_info(name)) in _ENDED

    def stop(self, name: str) -> bool:
        """Ask a job to end; return whether it was running. A search writes checkpoints first."""
        return bool(self._client.stop_job(name))


def _refusal(error: Exception) -> str:
    if _STARTS in str(error):
        return (
            "the head node of the cluster must run an agent that takes jobs, and none answers: "
            "if another Ray runs on that machine, start this one with another "
            "--dashboard-agent-listen-port"
        )
    return f"the cluster does not take the job: {_line(error)}"


def _status(told: Any) -> str:
    return str(getattr(told.status, "value", told.status))


def _job(told: Any) -> Job:
    return Job(
        name=told.submission_id,
        status=_status(told),
        command=told.metadata[_COMMAND],
        folder=told.metadata.get(_FOLDER, ""),
        began=(told.start_time or 0) / 1000,
        exit_code=told.driver_exit_code,
        message=told.message or "",
    )


def _checked(name: str) -> str:
    if not name or name != Path(name).name or name in {".", ".."}:
        raise ConfigError(f"--name must be the name of one folder, got {name!r}")
    return name


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
