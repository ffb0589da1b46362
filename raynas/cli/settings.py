"""Settings on the command line: those not given are left to the file and the defaults."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from raynas.cli.paths import path_of
from raynas.errors import ConfigError
from raynas.schedulers import SCHEDULERS
from raynas.yaml12 import parse

Scheduler = Annotated[
    str | None,
    typer.Option(
        help=f"{', '.join(SCHEDULERS)}, or a reference.",
        show_default="asha",
    ),
]
Tune = Annotated[
    str | None,
    typer.Option(
        help="Fields of the training recipe to search as well, with commas: lr,weight_decay.",
        show_default=False,
    ),
]
Trials = Annotated[
    int | None,
    typer.Option(
        help="How many trials to start, at least 1.",
        show_default="40, or as many as --time and --gpu-hours allow",
    ),
]
Time = Annotated[
    str | None,
    typer.Option(
        help="How long to search, above 0: 2h, 90m, 30s, 1h30m or seconds.",
        show_default="no limit",
    ),
]
GpuHours = Annotated[
    float | None,
    typer.Option(
        help="GPU-hours to hold, all workers together; above 0.", show_default="no limit"
    ),
]
Target = Annotated[
    str | None,
    typer.Option(
        metavar="METRIC=VALUE",
        help="End when a trial ends with it, as in val_accuracy=0.98.",
        show_default="none",
    ),
]
MaxFailures = Annotated[
    int | None,
    typer.Option(help="End when so many trials have failed, at least 1.", show_default="no limit"),
]
Cpus = Annotated[
    float | None,
    typer.Option(help="CPU cores of a trial, at least 0; fractions allowed.", show_default="1"),
]
Gpus = Annotated[
    str | None,
    typer.Option(
        help="GPUs of a trial, at least 0; fractions allowed, or auto: as many on a GPU as fit "
        "its memory.",
        metavar="FLOAT|auto",
        show_default="1 where there is any, else 0",
    ),
]
Concurrent = Annotated[
    int | None, typer.Option(help="Trials at once, at least 1.", show_default="as many as fit")
]
Grace = Annotated[
    str | None,
    typer.Option(
        help="How long trials may take to come to a checkpoint when a signal ends the run: 30s.",
        show_default="30s",
    ),
]
TrialTimeout = Annotated[
    str | None,
    typer.Option(
        help="How long a trial may run, above 0, such as 10m; after that it has failed.",
        show_default="20 times the longest epoch without a report, at least 1h",
    ),
]
Address = Annotated[
    str | None,
    typer.Option(help="Ray cluster to join.", show_default="RAY_ADDRESS, or a new local one"),
]
Verbose = Annotated[bool | None, typer.Option("--verbose", help="Let Ray speak.")]
DataDir = Annotated[
    Path | None,
    typer.Option(**path_of("--data-dir", help="Where data sets lie.", show_default="data")),
]
Download = Annotated[bool | None, typer.Option("--download", help="Fetch missing data sets.")]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="One option of a part, such as [b]space.channels=8[/], [b]training.lr=0.05[/], "
        "[b]searcher.population_size=20[/], [b]scheduler.eta=4[/], [b]task.size=64[/] or "
        "[b]prior.edge_*={nor_conv_3x3: 3}[/].",
        metavar="PART.OPTION=VALUE",
        show_default=False,
    ),
]

_PARTS = {
    "space": "space_options",
    "prior": "priors",
    "task": "task_options",
    "training": "training",
    "searcher": "searcher_options",
    "scheduler": "scheduler_options",
    "screen": "screen_options",
}


def names(text: str | None) -> list[str] | None:
    """Return what was given with commas in between."""
    return text.split(",") if text else None


def given(**settings: Any) -> dict[str, Any]:
    """Return the settings that were given."""
    return {name: value for name, value in settings.items() if value is not None}


def with_options(settings: dict[str, Any], assignments: Sequence[str] | None) -> dict[str, Any]:
    """Return ``settings`` with ``part.option=value`` assignments added; later ones win.

    Raises:
        ConfigError: An assignment is malformed or its part unknown.
    """
    result = dict(settings)
    for part, options in by_part(assignments, _PARTS).items():
        field = _PARTS[part]
        others = result.get(field, {})
        if not isinstance(others, dict):
            raise ConfigError(f"{field} must hold options, 'name: value' a line, got {others!r}")
        result[field] = {**others, **options}
    return result


def by_part(
    assignments: Sequence[str] | None, parts: Collection[str]
) -> dict[str, dict[str, Any]]:
    """Return the options that ``part.option=value`` assignments give each part; later ones win.

    Parts and options may hold points: of several parts that fit, the longest is meant.

    Raises:
        ConfigError: An assignment is malformed, its part unknown, or its value no YAML.
    """
    found: dict[str, dict[str, Any]] = {}
    for assignment in assignments or ():
        target, equals, text = assignment.partition("=")
        part = max((part for part in parts if target.startswith(f"{part}.")), key=len, default="")
        option = target[len(part) + 1 :]
        if not (equals and part and option):
            raise ConfigError(
                f"--set takes PART.OPTION=VALUE with PART one of {', '.join(parts)}, "
                f"got {assignment!r}"
            )
        found.setdefault(part, {})[option] = parse(text, f"--set {target}: {text!r}")
    return found
