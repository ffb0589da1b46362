"""`raynas search`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from raynas.cli import settings as s
from raynas.cli.paths import path_of, run_folder_of
from raynas.oneshot.methods import METHODS
from raynas.searchers import SEARCHERS


def search(  # noqa: PLR0913 - a command's arguments are its options
    config: Annotated[
        Path | None,
        typer.Option(
            **path_of("--config", help="YAML file with settings; other options override it.")
        ),
    ] = None,
    space: Annotated[
        str | None,
        typer.Option(
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
    searcher: Annotated[
        str | None,
        typer.Option(
            help=f"{', '.join(SEARCHERS)}, or a reference.",
            show_default="auto",
        ),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            help=f"One-shot method, which trains a supernet first: {', '.join(METHODS)}.",
            show_default=False,
        ),
    ] = None,
    supernet_epochs: Annotated[
        int | None,
        typer.Option(
            help="Length of a supernet's training, at least 1.", show_default="6 times --epochs"
        ),
    ] = None,
    supernets: Annotated[
        int, typer.Option(help="Supernets of each method; the best one proposes.")
    ] = 1,
    candidates: Annotated[
        int | None,
        typer.Option(
            help="Trials that train what supernets propose; the searcher proposes the others.",
            show_default="a quarter, at least 16",
        ),
    ] = None,
    tune: s.Tune = None,
    proxies: Annotated[
        str | None,
        typer.Option(
            help="Zero-cost proxies that choose the architectures to train, separated by commas: "
            "synflow,naswot.",
            show_default=False,
        ),
    ] = None,
    inherit_weights: Annotated[
        bool | None,
        typer.Option("--inherit-weights", help="Begin trainings with the weights of the parent."),
    ] = None,
    start_from: Annotated[
        str | None,
        typer.Option(
            help="Architectures to train first: a run folder, for its ten best ones, or a JSON "
            "file.",
            show_default=False,
        ),
    ] = None,
    scheduler: s.Scheduler = None,
    trials: s.Trials = None,
    time: s.Time = None,
    gpu_hours: s.GpuHours = None,
    target: s.Target = None,
    max_failures: s.MaxFailures = None,
    epochs: Annotated[
        int | None,
        typer.Option(help="Full length of a trial, at least 1.", show_default="9 for most tasks"),
    ] = None,
    folds: s.Folds = None,
    seeds: s.Seeds = None,
    fidelity: s.Fidelity = None,
    finalists: s.Finalists = None,
    seed: Annotated[
        int | None,
        typer.Option(help="Seed of all random numbers, at least 0.", show_default="0"),
    ] = None,
    objective: Annotated[
        list[str] | None,
        typer.Option(
            help="Metric to optimise, with :min or :max for the direction. Repeat it for several: "
            "[b]--objective val_accuracy --objective params[/].",
            show_default="that of the task",
        ),
    ] = None,
    best_known: s.BestKnown = None,
    constraint: Annotated[
        list[str] | None,
        typer.Option(
            metavar="METRIC<=VALUE",
            help="Limit on a metric, with <= or >=. Networks that break it by what is known "
            "before training are not trained. Repeat it for several: "
            "[b]--constraint params<=1M --constraint latency_ms<=5[/].",
            show_default="none",
        ),
    ] = None,
    probe: Annotated[
        str | None,
        typer.Option(
            help="What measures latency_ms and energy_mj: torch, torch:cuda, onnx, or a command "
            "such as [b]'ssh board run {model}'[/].",
            show_default="torch if one of them is asked for",
        ),
    ] = None,
    output: Annotated[
        Any,
        typer.Option(
            **run_folder_of(
                "--output", help="Run folder, or its address.", show_default="runs/first"
            )
        ),
    ] = None,
    data_dir: s.DataDir = None,
    download: s.Download = None,
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
    option: s.Set = None,
) -> None:
    """Find an architecture, train it and test it.

    If the run folder contains the same experiment already, the run continues.
    """
    from raynas.cli.session import follow  # noqa: PLC0415 - keeps --help fast
    from raynas.experiment.experiment import experiment_from, read_config  # noqa: PLC0415

    command_line = s.given(
        space=space,
        task=task,
        searcher=searcher,
        method=s.one_or_more(method),
        supernet_epochs=supernet_epochs,
        supernets=supernets,
        candidates=candidates,
        tune=s.names(tune),
        proxies=s.names(proxies),
        inherit_weights=inherit_weights,
        start_from=start_from,
        scheduler=scheduler,
        trials=trials,
        time=time,
        gpu_hours=gpu_hours,
        target=target,
        max_failures=max_failures,
        epochs=epochs,
        folds=folds,
        seeds=seeds,
        fidelity=fidelity,
        finalists=finalists,
        seed=seed,
        objective=objective or None,  # without the option, typer gives an empty list
        best_known=best_known,
        constraint=constraint or None,
        probe=probe,
        output=output,
        data_dir=data_dir,
        download=download,
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
    file = read_config(config) if config else {}
    follow(experiment_from(s.with_options({**file, **command_line}, option)))
