"""`raynas stop`."""

from __future__ import annotations

import typer

from raynas.cli.cluster_jobs import Address, Name, jobs_of


def stop(name: Name = None, address: Address = None) -> None:
    """End a job on a Ray cluster; a search writes checkpoints first, and can be resumed."""
    jobs = jobs_of(address)
    job = jobs.find(name)
    ends = jobs.stop(job.name)
    typer.echo(f"job {job.name} is asked to end" if ends else f"job {job.name} has ended before")
