"""`raynas logs`."""

from __future__ import annotations

from raynas.cli.cluster_jobs import Address, Name, follow, jobs_of


def logs(name: Name = None, address: Address = None) -> None:
    """Show what a job on a Ray cluster has written, and follow it; Ctrl-C leaves it running."""
    jobs = jobs_of(address)
    follow(jobs, jobs.find(name))
