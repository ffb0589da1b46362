"""What the commands about a cluster's jobs have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from raynas.cli.interruption import INTERRUPTION
from raynas.errors import Interrupted, ResourceError

if TYPE_CHECKING:
    from raynas.execution.ray_jobs.jobs import Job, Jobs


def dashboard(otherwise: str) -> Any:
    """Return the option that names a cluster, given what it means if it is left out."""
    said = "Address of the cluster's dashboard: http://HOST:8265."
    return typer.Option(help=said, show_default=otherwise)


Address = Annotated[str | None, dashboard("RAY_API_SERVER_ADDRESS, or this machine")]
FolderName = Annotated[
    str | None,
    typer.Option(
        help="Name of the folder on the cluster, as it was given to submit.",
        show_default="that of the folder here",
    ),
]
Name = Annotated[
    str | None,
    typer.Argument(
        metavar="JOB", help="Name that submit has printed.", show_default="the latest job"
    ),
]


def jobs_of(address: str | None) -> Jobs:
    """Return the jobs of the cluster at an address."""
    from raynas.execution.ray_jobs.jobs import Jobs  # noqa: PLC0415 - keeps --help fast
    from raynas.execution.ray_jobs.server import client_of  # noqa: PLC0415

    return Jobs(client_of(address))


def follow(jobs: Jobs, job: Job) -> None:
    """Show what a job writes until it ends; end with its exit status. Ctrl-C ends the showing.

    Raises:
        ResourceError: The node of the job has no raynas, or the connection broke.
    """
    try:
        with INTERRUPTION.blamed():
            job = jobs.follow(job, lambda text: typer.echo(text, nl=False))
    except Interrupted:
        typer.echo(
            f"\nthe job goes on. To follow it: raynas logs {job.name}; to end it: raynas stop "
            f"{job.name}",
            err=True,
        )
        raise typer.Exit from None
    if job.lacks_raynas:
        raise ResourceError(
            "the head node of the cluster must have raynas, and it has not: run 'pip install "
            "\"raynas[cluster]\"' there, in the environment in which 'ray start' is called, and "
            "activate it first"
        )
    if job.status != "SUCCEEDED":
        typer.echo(f"the job {job.name} has {job.status.lower()}: {job.message}", err=True)
        raise typer.Exit(job.exit_code or 1)
