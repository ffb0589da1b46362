"""`raynas submit`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from raynas.cli.cluster_jobs import Address, follow, jobs_of
from raynas.cli.paths import path_of
from raynas.errors import ConfigError

_COMMANDS = ("search", "resume", "check")


def submit(
    command: Annotated[
        list[str],
        typer.Argument(
            metavar="COMMAND",
            help="What to run there, with its options: search --space my_space.py --trials 40.",
        ),
    ],
    address: Address = None,
    working_dir: Annotated[
        Path,
        typer.Option(
            **path_of("--working-dir", help="Folder with your files, which travels with the job.")
        ),
    ] = Path(),
    name: Annotated[
        str | None,
        typer.Option(
            help="Name of the folder on the cluster, below raynas in the home folder.",
            show_default="that of the folder here",
        ),
    ] = None,
    detach: Annotated[  # noqa: FBT002 - typer declares a flag like this
        bool, typer.Option("--detach", help="Do not wait for the end of the job.")
    ] = False,
) -> None:
    """Run a search on a Ray cluster; Ctrl-C leaves it running.

    The options of submit come first, then the command with its own options.
    """
    if command[0] not in _COMMANDS:
        raise ConfigError(f"submit runs {', '.join(_COMMANDS)} on a cluster, got {command[0]!r}")
    folder = working_dir.absolute()
    jobs = jobs_of(address)
    job = jobs.submit(command, folder, name or folder.resolve().name)
    typer.echo(f"job {job.name} runs in ~/{job.folder} of the head node", err=True)
    if not detach:
        follow(jobs, job)
