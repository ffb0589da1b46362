"""`raynas show`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from raynas.cli.consoles import RESULTS
from raynas.cli.paths import path_of
from raynas.errors import ConfigError

if TYPE_CHECKING:
    from raynas.experiment.run.result import Result


def show(
    output: Annotated[Path, typer.Argument(**path_of("the run folder", help="Run folder."))],
    as_json: Annotated[  # noqa: FBT002 - typer declares a flag like this
        bool,
        typer.Option("--json", help="Print the results as JSON."),
    ] = False,
    ledger: Annotated[  # noqa: FBT002 - typer declares a flag like this
        bool,
        typer.Option("--ledger", help="Show how the time was used, not the leaderboard."),
    ] = False,
    top: Annotated[
        int | None, typer.Option(help="Rows to show, at least 1.", show_default="all")
    ] = None,
) -> None:
    """Show the leaderboard of a run, or how its time was used, also while the run is running."""
    from raynas.experiment.run.result import load  # noqa: PLC0415 - keeps --help fast
    from raynas.insight.leaderboard import leaderboard, records, top_of  # noqa: PLC0415
    from raynas.insight.summary import print_summary  # noqa: PLC0415

    if top is not None and top < 1:
        raise ConfigError(f"--top must be at least 1, got {top}")
    result = load(output)
    if ledger:
        _show_ledger(result, as_json=as_json)
        return
    history = result.history
    top = top or len(history.trials)
    if as_json:
        typer.echo(json.dumps(records(top_of(leaderboard(history), top)), indent=2))
    else:
        print_summary(RESULTS, history, top=top, paused_trials=result.paused_trials)


def _show_ledger(result: Result, *, as_json: bool) -> None:
    from raynas.insight.ledger import ledger  # noqa: PLC0415 - keeps --help fast
    from raynas.insight.ledger_view import print_ledger  # noqa: PLC0415

    books = ledger(result.history, result.paused_trials)
    if as_json:
        typer.echo(json.dumps(books.as_data(), indent=2))
    else:
        print_ledger(RESULTS, books)
