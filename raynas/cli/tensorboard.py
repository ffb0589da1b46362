"""`raynas tensorboard`."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from raynas.cli.cluster_jobs import FolderName, dashboard
from raynas.cli.fetch import brought
from raynas.cli.paths import run_folder_of
from raynas.errors import ConfigError, Interrupted, ResourceError, StorageError
from raynas.storage import Location, store_of

_CLUSTER: Final = 60.0  # seconds between two looks at a cluster
_STORE: Final = 5.0  # seconds between two looks at an object store


def tensorboard(
    output: Annotated[
        Any,
        typer.Argument(**run_folder_of("the run folder", help="Run folder, or its address.")),
    ],
    address: Annotated[str | None, dashboard("the run is on this machine")] = None,
    name: FolderName = None,
    port: Annotated[int, typer.Option(help="Port of this machine.")] = 6006,
) -> None:
    """Show the curves of a run in a browser on this machine; Ctrl-C ends it.

    With --address, the run of a cluster is brought here first, and again every minute. Of a run in
    an object store, the files for TensorBoard are kept up to date in a temporary folder.
    """
    if address and not isinstance(output, Path):
        raise ConfigError(f"{output} is read from where it is: leave out --address")
    if address:
        _show(output, port, partial(brought, address, name, output), _CLUSTER)
        return
    if not store_of(output).names():
        raise ConfigError(f"there is no run folder {output}")
    if isinstance(output, Path):
        _show(output, port)
    else:
        _show_address(output, port)


def _show_address(run: Location, port: int) -> None:
    from raynas.experiment.run.event_files import bring_event_files  # noqa: PLC0415 - fast --help

    with tempfile.TemporaryDirectory(prefix="raynas-") as here:
        _show(Path(here), port, partial(bring_event_files, run, Path(here)), _STORE)


def _show(
    folder: Path, port: int, bring: Callable[[], object] | None = None, every: float | None = None
) -> None:
    """Show a folder, which ``bring`` fills first, and then again after some seconds."""
    if bring is not None:
        bring()
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(folder)]
    shown = subprocess.Popen([*command, "--port", str(port)])
    try:
        while True:
            try:
                raise typer.Exit(shown.wait(every))
            except subprocess.TimeoutExpired:
                _bring_again(bring)
    except Interrupted:
        raise typer.Exit from None
    finally:
        shown.terminate()
        shown.wait()


def _bring_again(bring: Callable[[], object] | None) -> None:
    try:
        if bring is not None:
            bring()
    except (ResourceError, StorageError, OSError) as error:  # the curves that are here stay
        typer.echo(f"the run is not up to date: {error}", err=True)
