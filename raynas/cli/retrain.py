"""`raynas retrain`."""

from __future__ import annotations

import shlex
from typing import Annotated, Any

import typer

from raynas.cli import settings as s
from raynas.cli.consoles import RESULTS
from raynas.cli.paths import run_folder_of


def retrain(  # noqa: PLR0913 - a command's arguments are its options
    output: Annotated[
        Any,
        typer.Argument(**run_folder_of("the run folder", help="Run folder, or its address.")),
    ],
    top: Annotated[int, typer.Option(help="How many architectures, at least 1.")] = 3,
    trial: Annotated[
        list[int] | None,
        typer.Option(
            help="Number of a trial of the search; may be repeated. These are trained, and not "
            "the best.",
            show_default=False,
        ),
    ] = None,
    seeds: Annotated[
        int, typer.Option(help="How often each is trained, at least 1; a larger number adds.")
    ] = 3,
    epochs: Annotated[
        int | None,
        typer.Option(
            help="Length of each training, at least 1.",
            show_default="as long as the winner of the search",
        ),
    ] = None,
    folds: Annotated[
        int,
        typer.Option(
            help="Parts of the training and validation data, of which each training leaves out "
            "another; 1 to train on all data."
        ),
    ] = 1,
    data_dir: s.DataDir = None,
    download: s.Download = None,
    cpus_per_trial: s.Cpus = None,
    gpus_per_trial: s.Gpus = None,
    workers_per_trial: s.WorkersPerTrial = None,
    max_concurrent: s.Concurrent = None,
    grace: s.Grace = None,
    trial_timeout: s.TrialTimeout = None,
    address: s.Address = None,
    verbose: s.Verbose = None,
) -> None:
    """Train the best architectures of a run from scratch, on all data but the test data, and test.

    The trainings are kept in the folder 'retrained' of the run folder, and continue there.
    """
    from raynas.cli.session import watched_run  # noqa: PLC0415 - keeps --help fast
    from raynas.experiment.run.repetition import Repetition  # noqa: PLC0415
    from raynas.experiment.run.retraining import RETRAINED, prepared_retraining  # noqa: PLC0415
    from raynas.insight.text.retraining import print_retrained  # noqa: PLC0415
    from raynas.insight.wording import say_whole  # noqa: PLC0415

    changed = s.given(
        data_dir=data_dir,
        download=download,
        cpus_per_trial=cpus_per_trial,
        gpus_per_trial=gpus_per_trial,
        workers_per_trial=workers_per_trial,
        max_concurrent=max_concurrent,
        grace=grace,
        trial_timeout=trial_timeout,
        address=address,
        verbose=verbose,
    )
    repetition = Repetition(top, tuple(trial or ()), seeds, epochs, folds)
    shown = shlex.quote(str(output))
    with watched_run(f"raynas retrain {shown} with the same options", output / RETRAINED) as run:
        prepared = prepared_retraining(output, repetition, changed)
        found = run(prepared.resolved.plan.trials, prepared.run)
    print_retrained(RESULTS, found)
    say_whole(RESULTS, f"\nall trainings:  raynas show {shlex.quote(str(output / RETRAINED))}")
    say_whole(RESULTS, f"take one home:  raynas export {shown} --trial {found.rows[0].trial}")
