"""`raynas predict`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from raynas.cli.paths import path_of, run_folder_of


def predict(
    export: Annotated[
        Any,
        typer.Argument(
            **run_folder_of("the export", help="Folder that raynas export wrote, or its address.")
        ),
    ],
    files: Annotated[
        list[Path],
        typer.Argument(
            **path_of("a file", help="Pictures, tables, texts, or arrays (.npy) of examples.")
        ),
    ],
    as_json: Annotated[  # noqa: FBT002 - typer declares a flag like this
        bool,
        typer.Option("--json", help="Print JSON, and not CSV."),
    ] = False,
) -> None:
    """Predict for files with an exported network; the export folder is all that is needed."""
    from raynas.experiment.export import predict as predicting  # noqa: PLC0415 - keeps --help fast

    found = predicting.predict(export, files)
    text = predicting.as_json(found) if as_json else predicting.as_csv(found)
    typer.echo(text.rstrip("\n"))
