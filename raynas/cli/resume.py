"""`raynas resume`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from raynas.cli import settings as s
from raynas.cli.paths import path_of


def resume(  # noqa: PLR0913 - a command's arguments are its options
    output: Annotated[Path, typer.Argument(**path_of("the run folder", help="Run folder."))],
    trials: s.Trials = None,
    time: s.Time = None,
    gpu_hours: s.GpuHours = None,
    target: s.Target = None,
    max_failures: s.MaxFailures = None,
    data_dir: s.DataDir = None,
    download: s.Download = None,
    cpus_per_trial: s.Cpus = None,
    gpus_per_trial: s.Gpus = None,
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
        cpus_per_trial=cpus_per_trial,
        gpus_per_trial=gpus_per_trial,
        max_concurrent=max_concurrent,
        grace=grace,
        trial_timeout=trial_timeout,
        address=address,
        verbose=verbose,
    )
    follow(recorded(output, changed))
