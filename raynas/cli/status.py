"""`raynas status`."""

from __future__ import annotations

from datetime import datetime

from rich.table import Column, Table

from raynas.cli.cluster_jobs import Address, jobs_of
from raynas.cli.consoles import RESULTS


def status(address: Address = None) -> None:
    """Show the jobs that raynas has begun on a Ray cluster."""
    jobs = jobs_of(address).all()
    width = max((len(job.name) for job in jobs), default=0)  # to be copied, so never shortened
    table = Table(Column("job", min_width=width), box=None, pad_edge=False)
    for name in ("status", "began", "folder", "command"):
        table.add_column(name)
    for job in jobs:
        began = datetime.fromtimestamp(job.began).astimezone().strftime("%d %b %H:%M")
        table.add_row(job.name, job.status.lower(), began, job.folder, job.command)
    if table.row_count:
        RESULTS.print(table)
    else:
        RESULTS.print("raynas has begun no job on this cluster")
