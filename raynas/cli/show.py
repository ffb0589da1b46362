"""`raynas show`."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from raynas.cli.consoles import RESULTS
from raynas.cli.paths import run_folder_of
from raynas.errors import ConfigError
from raynas.insight.wording import say

if TYPE_CHECKING:
    from raynas.experiment.run.result import Result

# ruff: noqa: PLC0415 - imports inside of functions keep --help fast


def show(  # noqa: PLR0913 - a command's arguments are its options
    output: Annotated[
        Any,
        typer.Argument(**run_folder_of("the run folder", help="Run folder, or its address.")),
    ],
    *,
    trial: Annotated[
        int | None,
        typer.Option(help="Show one trial: decisions, metrics, how it ended.", show_default=False),
    ] = None,
    diff: Annotated[
        tuple[int, int] | None,
        typer.Option(
            help="Show two trials: the decisions that differ, the metrics of both.",
            metavar="TRIAL TRIAL",
            show_default=False,
        ),
    ] = None,
    pareto: Annotated[
        bool, typer.Option("--pareto", help="Show the Pareto front of several objectives.")
    ] = False,
    ledger: Annotated[
        bool, typer.Option("--ledger", help="Show how the time was used, not the leaderboard.")
    ] = False,
    top: Annotated[
        int | None, typer.Option(help="Rows to show, at least 1.", show_default="all")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Print the trials as CSV, with all decisions.")
    ] = False,
    space: Annotated[
        str | None,
        typer.Option(
            help="Your space, package.module or file.py, for its drawing in --trial.",
            show_default="only the spaces of raynas are drawn",
        ),
    ] = None,
) -> None:
    """Show a run, also while it is running: its leaderboard, a trial, its front, its time."""
    from raynas.experiment.run.result import load
    from raynas.journal import no_garbage

    views = {"--trial": trial, "--diff": diff, "--pareto": pareto, "--ledger": ledger}
    chosen = [name for name, given in views.items() if given not in (None, False)]
    _check(chosen, top=top, as_json=as_json, as_csv=as_csv, space=space)
    with no_garbage():
        result = load(output)
        if trial is not None:
            _show_trial(result, trial, space, as_json=as_json)
        elif diff is not None:
            _show_difference(result, diff, as_json=as_json)
        elif ledger:
            _show_ledger(result, as_json=as_json)
        else:
            _show_trials(result, top, pareto=pareto, as_json=as_json, as_csv=as_csv)


def _check(
    chosen: Collection[str], *, top: int | None, as_json: bool, as_csv: bool, space: str | None
) -> None:
    """Check that options fit together."""
    if len(chosen) > 1:
        raise ConfigError(
            "show takes one of --trial, --diff, --pareto and --ledger, got " + " and ".join(chosen)
        )
    others = [one for one in chosen if one != "--pareto"]
    if as_json and as_csv:
        raise ConfigError("show prints one format: give --json or --csv, not both")
    if others and as_csv:
        raise ConfigError(f"--csv prints rows of trials: with {others[0]}, give --json")
    if others and top is not None:
        raise ConfigError(f"--top limits the rows of trials: {others[0]} has no such rows")
    if top is not None and top < 1:
        raise ConfigError(f"--top must be at least 1, got {top}")
    if space is not None and "--trial" not in chosen:
        raise ConfigError("--space says how a trial is drawn: give it with --trial")


def _show_trials(
    result: Result, top: int | None, *, pareto: bool, as_json: bool, as_csv: bool
) -> None:
    from raynas.insight.leaderboard import on_front, records, rows, top_of
    from raynas.insight.text.summary import print_front, print_summary

    history = result.history
    top = top or len(history.trials)
    if not (as_json or as_csv):
        if pareto:
            print_front(RESULTS, history, top)
        else:
            print_summary(RESULTS, history, top=top, paused_trials=result.paused_trials)
            _show_retrained(result)
        return
    shown = on_front(history) if pareto else rows(history)
    if as_json:
        _print_json(records(top_of(shown, top)))
    else:
        from raynas.insight.trials_csv import trials_csv

        typer.echo(trials_csv(history, top_of(shown, top)), nl=False)


def _show_trial(result: Result, number: int, space: str | None, *, as_json: bool) -> None:
    from raynas.experiment.run.text_drawing import text_drawing
    from raynas.insight.text.trial import trial_lines, trial_record

    if as_json:
        _print_json(trial_record(result.history, number))
    else:
        draw = partial(text_drawing, result.described, space=space)
        _say_lines(trial_lines(result.history, number, draw))


def _show_difference(result: Result, trials: tuple[int, int], *, as_json: bool) -> None:
    from raynas.insight.text.difference import difference_lines, difference_record

    if as_json:
        _print_json(difference_record(result.history, *trials))
    else:
        _say_lines(difference_lines(result.history, *trials))


def _show_retrained(result: Result) -> None:
    """Show the final trainings of a run, if there are some."""
    from raynas.experiment.run.retraining import retrained_of
    from raynas.insight.text.retraining import print_retrained

    if found := retrained_of(result.output, result.described, result.history):
        RESULTS.print("\nfinal trainings, tested:")
        print_retrained(RESULTS, found)


def _show_ledger(result: Result, *, as_json: bool) -> None:
    from raynas.insight.ledger import ledger
    from raynas.insight.text.ledger import print_ledger

    books = ledger(result.history, result.paused_trials)
    if as_json:
        _print_json(books.as_data())
    else:
        print_ledger(RESULTS, books)


def _print_json(data: Any) -> None:
    typer.echo(json.dumps(data, indent=2))


def _say_lines(lines: Iterable[str]) -> None:
    say(RESULTS, "\n".join(lines))
