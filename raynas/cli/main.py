"""The `raynas` command."""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from signal import Signals
from typing import Annotated

import typer

import raynas
from raynas.cli.bench import bench
from raynas.cli.check import check
from raynas.cli.compare import compare
from raynas.cli.consoles import NOTICES
from raynas.cli.export import export
from raynas.cli.fetch import fetch
from raynas.cli.interruption import INTERRUPTION
from raynas.cli.list_runs import list_runs
from raynas.cli.logs import logs
from raynas.cli.predict import predict
from raynas.cli.report import report
from raynas.cli.resume import resume
from raynas.cli.retrain import retrain
from raynas.cli.search import search
from raynas.cli.show import show
from raynas.cli.status import status
from raynas.cli.stop import stop
from raynas.cli.submit import submit
from raynas.cli.tensorboard import tensorboard
from raynas.cli.usage import UsageError, misuse
from raynas.errors import (
    ConfigError,
    DataError,
    Interrupted,
    JournalError,
    RaynasError,
    ResourceError,
    SpaceError,
)
from raynas.insight.wording import say, say_whole

# Errors that the user can correct by giving other input.
_BAD_INPUT = (ConfigError, DataError, JournalError, ResourceError, SpaceError)

app = typer.Typer(
    name="raynas",
    help="Neural architecture search on Ray Tune and PyTorch.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _print_version(asked: bool) -> None:  # noqa: FBT001 - typer passes the value by position
    if asked:
        typer.echo(f"raynas {raynas.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Take the options before the command; without a command, typer prints the help."""


app.command()(check)
app.command()(search)
app.command()(resume)
app.command()(show)
app.command()(report)
app.command()(retrain)
app.command()(export)
app.command()(predict)
app.command("list")(list_runs)
app.command()(compare)
app.command()(bench)
# What follows the command's first word is the job's, also what begins with a hyphen.
app.command(context_settings={"allow_interspersed_args": False})(submit)
app.command()(status)
app.command()(logs)
app.command()(stop)
app.command()(fetch)
app.command()(tensorboard)


class _Notices(logging.Handler):
    """Writes log messages to stderr without a prefix, above the live view if there is one."""

    def emit(self, record: logging.LogRecord) -> None:
        say(NOTICES, self.format(record))


@contextmanager
def notices() -> Iterator[None]:
    """Show the log messages of raynas to the user while the context is open."""
    logger, handler = logging.getLogger("raynas"), _Notices()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def _write_whatever_comes() -> None:
    """Write a question mark for a character that the encoding of a stream does not have."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


def main() -> None:
    """Run the command, then exit.

    The exit status is 0 after success, 2 after bad input, 1 after a failed run, and 128 plus the
    number of the signal after a signal.
    """
    _write_whatever_comes()
    try:
        with notices(), INTERRUPTION.listening(), INTERRUPTION.blamed():
            sys.exit(app(prog_name="raynas", standalone_mode=False) or 0)
    except Interrupted as error:
        notes = getattr(error, "__notes__", ())
        kept = "; nothing is lost" if notes else ""
        say(NOTICES, f"raynas: stopped by {Signals(error.signal).name}{kept}", style="red")
        for note in notes:
            say_whole(NOTICES, note)
        sys.exit(128 + error.signal)
    except UsageError as error:
        if said := misuse(error):
            say(NOTICES, f"raynas: {said}", style="red")
        sys.exit(2)
    except typer.Abort as error:
        say(NOTICES, f"raynas: aborted by {error.__cause__!r}", style="red")
        sys.exit(1)
    except RaynasError as error:
        say(NOTICES, f"raynas: {error}", style="red")
        sys.exit(2 if isinstance(error, _BAD_INPUT) else 1)
    finally:
        if "torch" not in sys.modules:  # parts of torch print errors if objects are not collected
            gc.freeze()  # saves half a second: Python collects no garbage before it exits
