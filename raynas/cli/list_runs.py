"""`raynas list`."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from raynas.cli.consoles import RESULTS
from raynas.cli.paths import folder_of_runs
from raynas.insight.wording import say


def list_runs(
    folder: Annotated[
        Any,
        typer.Argument(
            **folder_of_runs("the folder of runs", help="Folder of run folders, or its address.")
        ),
    ] = Path("runs"),
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the runs as JSON.")] = False,
) -> None:
    """List the runs in a folder: what they search, how far they are, their best score."""
    from raynas.experiment.run.runs import runs_in  # noqa: PLC0415 - keeps --help fast
    from raynas.insight.text.runs import runs_lines  # noqa: PLC0415

    found = runs_in(folder)
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found], indent=2))
        return
    width = RESULTS.width if RESULTS.is_terminal else math.inf
    say(RESULTS, "\n".join(runs_lines(found, width)))
