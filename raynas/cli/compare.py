"""`raynas compare`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from raynas.cli.consoles import RESULTS
from raynas.insight.wording import say


def compare(
    runs: Annotated[
        list[str],
        typer.Argument(
            help="Run folders, folders of runs, or patterns in quotes: 'runs/evolution-*'; also "
            "their addresses. Each folder of runs and each pattern is a group, paired with the "
            "others by seed."
        ),
    ],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON.")] = False,
) -> None:
    """Compare runs of one task: best scores after equal budgets, tests, and how sure it is."""
    from raynas.experiment.run.compare import compared  # noqa: PLC0415 - keeps --help fast
    from raynas.insight.text.comparison import (  # noqa: PLC0415
        comparison_lines,
        comparison_record,
    )

    found = compared(runs)
    if as_json:
        typer.echo(json.dumps(comparison_record(found.arms, found.notes), indent=2))
    else:
        say(RESULTS, "\n".join(comparison_lines(found.arms, found.notes)))
