"""The `raynas` command."""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from signal import Signals
from typing import Annotated

import typer

import raynas
from raynas.cli.bench import bench
from raynas.cli.check import check
from raynas.cli.consoles import NOTICES
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
from raynas.insight.wording import say, say_whole

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


class _Notices(logging.Handler):
    """Writes what is logged to stderr as it is, above a live view if there is one."""

    def emit(self, record: logging.LogRecord) -> None:
        say(NOTICES, self.format(record))


@contextmanager
def notices() -> Iterator[None]:
    """Show people what is logged while the context is open."""
    logger, handler = logging.getLogger("raynas"), _Notices()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def main() -> None:
    """Run the command.

    Bad input ends with status 2, a failed run with 1, a signal with 128 and the signal's number.
    """
    try:
        with notices(), INTERRUPTION.listening(), INTERRUPTION.blamed():
            app()
    except Interrupted as error:
        ways_on = getattr(error, "__notes__", ())
        kept = "; nothing is lost" if ways_on else ""
        say(NOTICES, f"raynas: stopped by {Signals(error.signal).name}{kept}", style="red")
        for way_on in ways_on:
            say_whole(NOTICES, way_on)
        sys.exit(128 + error.signal)
    except RaynasError as error:
        say(NOTICES, f"raynas: {error}", style="red")
        sys.exit(2 if isinstance(error, _BAD_INPUT) else 1)
    finally:
        if "torch" not in sys.modules:  # parts of which complain of what was not collected
            gc.freeze()  # or Python looks through all that is loaded before it ends: half a second
