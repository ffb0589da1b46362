"""The `raynas` command."""

from __future__ import annotations

import gc
import logging
import sys
from signal import Signals
from typing import Annotated

import typer
from rich.console import Console

import raynas
from raynas.cli.bench import bench
from raynas.cli.check import check
from raynas.cli.interruption import INTERRUPTION
from raynas.cli.resume import resume
from raynas.cli.search import search
from raynas.cli.show import show
from raynas.errors import (
    ConfigError,
    DataError,
    Interrupted,
    JournalError,
    RaynasError,
    ResourceError,
    SpaceError,
)
from raynas.insight.wording import say

# What the user can put right by giving something else.
_BAD_INPUT = (ConfigError, DataError, JournalError, ResourceError, SpaceError)

app = typer.Typer(
    name="raynas",
    help="Neural architecture search on Ray Tune and PyTorch.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _print_version(asked: bool) -> None:  # noqa: FBT001 - typer calls it with the value alone
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
    """Take the options that stand before a command."""


app.command()(check)
app.command()(search)
app.command()(resume)
app.command()(show)
app.command()(bench)


class _Lines(logging.Handler):
    """Writes what is logged as plain, unwrapped lines, beside a live view if there is one."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        say(self._console, self.format(record))


def main() -> None:
    """Run the command.

    Bad input ends with status 2, a failed run with 1, a signal with 128 and the signal's number.
    """
    errors = Console(stderr=True, highlight=False, soft_wrap=True)
    logger = logging.getLogger("raynas")
    logger.addHandler(_Lines(errors))
    logger.setLevel(logging.INFO)
    try:
        with INTERRUPTION.listening(), INTERRUPTION.blamed():
            app()
    except Interrupted as error:
        errors.print(f"raynas: stopped by {Signals(error.signal).name}", style="red")
        sys.exit(128 + error.signal)
    except RaynasError as error:
        errors.print(f"raynas: {error}", style="red", markup=False)
        sys.exit(2 if isinstance(error, _BAD_INPUT) else 1)
    finally:
        if "torch" not in sys.modules:  # parts of which complain of what was not collected
            gc.freeze()  # or Python looks through all that is loaded before it ends: half a second
