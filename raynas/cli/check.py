"""`raynas check`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from raynas.cli import settings as s
from raynas.cli.consoles import RESULTS


def check(  # noqa: PLR0913 - a command's arguments are its options
    space: Annotated[
        str | None,
        typer.Argument(
            help="Shipped space, package.module or file.py.",
            show_default="that of the task, mostly nasbench201",
        ),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            help="Shipped task, package.module:Class or file.py:Class.", show_default="digits"
        ),
    ] = None,
    tune: s.Tune = None,
    scheduler: s.Scheduler = None,
    trials: s.Trials = None,
    time: s.Time = None,
    gpu_hours: s.GpuHours = None,
    epochs: Annotated[
        int | None,
        typer.Option(help="Full length of a trial, at least 1.", show_default="9 for most tasks"),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            help="Trials that run at once, at least 1.",
            show_default="as many as fit on this machine",
        ),
    ] = None,
    sample: Annotated[int, typer.Option(help="Architectures to check, at least 1.")] = 100,
    time_limit: Annotated[
        float,
        typer.Option(help="Seconds after which no other architecture is checked, above 0."),
    ] = 15.0,
    seed: Annotated[
        int | None,
        typer.Option(help="Seed of all random numbers, at least 0.", show_default="0"),
    ] = None,
    data_dir: s.DataDir = None,
    download: s.Download = None,
    cpus_per_trial: s.Cpus = None,
    gpus_per_trial: s.Gpus = None,
    workers_per_trial: s.WorkersPerTrial = None,
    option: s.Set = None,
    as_json: Annotated[  # noqa: FBT002 - typer declares a flag like this
        bool,
        typer.Option("--json", help="Print the results as JSON."),
    ] = False,
) -> None:
    """Check a space before a search: its size, costs, failures, and the expected time.

    Samples architectures, builds them, and trains some of them for a few steps on this machine.
    """
    # imported here, so that --help is fast
    from raynas.experiment.check.preflight import PreflightBudget, preflight  # noqa: PLC0415
    from raynas.experiment.experiment import experiment_from  # noqa: PLC0415
    from raynas.insight.text.preflight import print_preflight  # noqa: PLC0415

    given = s.given(
        space=space,
        task=task,
        tune=s.names(tune),
        scheduler=scheduler,
        trials=trials,
        time=time,
        gpu_hours=gpu_hours,
        epochs=epochs,
        seed=seed,
        data_dir=data_dir,
        download=download,
        cpus_per_trial=cpus_per_trial,
        gpus_per_trial=gpus_per_trial,
        workers_per_trial=workers_per_trial,
    )
    experiment = experiment_from(s.with_options({**given, "searcher": "random"}, option))
    found = preflight(experiment, PreflightBudget(sample, time_limit), workers)
    if as_json:
        typer.echo(json.dumps(found.as_data(), indent=2))
    else:
        print_preflight(RESULTS, found)
