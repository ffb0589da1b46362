"""`raynas report`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from raynas.cli.consoles import RESULTS
from raynas.cli.paths import run_folder_of
from raynas.insight.wording import say_whole


def report(
    run: Annotated[
        Any,
        typer.Argument(**run_folder_of("the run folder", help="Run folder, or its address.")),
    ],
    output: Annotated[
        Any,
        typer.Option(
            **run_folder_of("--output", help="HTML file to write, or its address."),
            show_default="RUN/report.html; of an address, NAME/report.html here",
        ),
    ] = None,
    space: Annotated[
        str | None,
        typer.Option(
            help="Your space, whose drawing is used: package.module or file.py.",
            show_default="that of the run, if it comes with raynas",
        ),
    ] = None,
) -> None:
    """Write a page about a run: what was found, why, and how to repeat it.

    The page is one HTML file, which needs no network. It can be written while the run is running.
    """
    from raynas.experiment.run.report import report as write  # noqa: PLC0415 - keeps --help fast

    say_whole(RESULTS, f"the report:    {write(run, output, space)}")
