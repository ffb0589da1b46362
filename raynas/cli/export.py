"""`raynas export`."""

from __future__ import annotations

import shlex
from typing import Annotated, Any

import typer

from raynas.cli import settings as s
from raynas.cli.consoles import RESULTS
from raynas.cli.paths import run_folder_of


def export(
    run: Annotated[
        Any,
        typer.Argument(**run_folder_of("the run folder", help="Run folder, or its address.")),
    ],
    trial: Annotated[
        int | None,
        typer.Option(
            help="Number of a trial that was trained again (raynas retrain).",
            show_default="the winner",
        ),
    ] = None,
    output: Annotated[
        Any,
        typer.Option(
            **run_folder_of("--output", help="Folder to write, or its address."),
            show_default="RUN/export/trial-N; of an address, NAME/export/trial-N here",
        ),
    ] = None,
    data_dir: s.DataDir = None,
    download: s.Download = None,
) -> None:
    """Write a trained network as a folder that needs no raynas: source, weights, ONNX, a card.

    It has the layout of the Hugging Face hub.
    """
    from raynas.experiment.export.export import export as write  # noqa: PLC0415 - loads torch
    from raynas.insight.wording import say_whole  # noqa: PLC0415

    found = write(run, trial, output, **s.given(data_dir=data_dir, download=download))
    for name in found.files:
        say_whole(RESULTS, str(found.folder / name))
    say_whole(RESULTS, f"\npredict:  raynas predict {shlex.quote(str(found.folder))} FILES...")
