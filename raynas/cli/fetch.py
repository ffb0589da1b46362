"""`raynas fetch`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from raynas.cli.cluster_jobs import Address, FolderName, jobs_of
from raynas.cli.paths import path_of


def fetch(
    output: Annotated[
        str,
        typer.Argument(metavar="RUN", help="Run folder, as it was given to the job's --output."),
    ] = "runs/first",
    address: Address = None,
    name: FolderName = None,
    to: Annotated[
        Path | None,
        typer.Option(
            **path_of("--to", help="Folder to write."),
            show_default="the same path here; for an absolute one its last part",
        ),
    ] = None,
) -> None:
    """Bring a run folder back from a Ray cluster, also while the run is running."""
    path = Path(output)
    here = to or (Path(path.name) if path.is_absolute() else path)
    count = brought(address, name, path, here)
    typer.echo(f"{count} files in {here}: raynas show {here}")


def brought(address: str | None, name: str | None, path: Path, here: Path | None = None) -> int:
    """Bring a run folder here; return how many files it has.

    Args:
        address: The address of the cluster's dashboard, if it was given.
        name: The name of the folder on the cluster, if it was given.
        path: The run folder there, as it was given to the job.
        here: The folder to write; none for the same path.
    """
    from raynas.execution.ray_jobs.fetching import fetch as fetched  # noqa: PLC0415
    from raynas.execution.ray_jobs.server import url_of  # noqa: PLC0415

    there = path if path.is_absolute() else Path("raynas") / (name or Path.cwd().name) / path
    return fetched(jobs_of(address), url_of(address), str(there), here or path)
