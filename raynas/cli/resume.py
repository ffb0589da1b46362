"""`raynas resume`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from raynas.cli import settings as s
from raynas.cli.paths import run_folder_of


def resume(  # noqa: PLR0913 - a command's arguments are its options
    output: Annotated[
        Any,
        typer.Argument(**run_folder_of("the run folder", help="Run folder, or its address.")),
    ],
    trials: s.Trials = None,
    time: s.Time = None,
    gpu_hours: s.GpuHours = None,
    target: s.Target = None,
    max_failures: s.MaxFailures = None,
    data_dir: s.DataDir = None,
    download: s.Download = None,
    best_known: s.BestKnown = None,
    log: s.Log = None,
    cpus_per_trial: s.Cpus = None,
    gpus_per_trial: s.Gpus = None,
    workers_per_trial: s.WorkersPerTrial = None,
    supernet_workers: s.SupernetWorkers = None,
    max_concurrent: s.Concurrent = None,
    grace: s.Grace = None,
    trial_timeout: s.TrialTimeout = None,
    address: s.Address = None,
    verbose: s.Verbose = None,
) -> None:
    """Continue a run after an interruption, or with a larger budget."""
    from raynas.cli.session import follow  # noqa: PLC0415 - keeps --help fast
    from raynas.experiment.run.search import recorded  # noqa: PLC0415

    changed = s.given(
        trials=trials,
        time=time,
        gpu_hours=gpu_hours,
        target=target,
        max_failures=max_failures,
        data_dir=data_dir,
        download=download,
        best_known=best_known,
        log=s.names(log),
        cpus_per_trial=cpus_per_trial,
        gpus_per_trial=gpus_per_trial,
        workers_per_trial=workers_per_trial,
        supernet_workers=supernet_workers,
        max_concurrent=max_concurrent,
        grace=grace,
        trial_timeout=trial_timeout,
        address=address,
        verbose=verbose,
    )
    follow(recorded(output, changed))
