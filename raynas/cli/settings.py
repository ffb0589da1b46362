"""The options that several commands have; options not given come from the file or defaults."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from raynas.cli.paths import path_of
from raynas.errors import ConfigError
from raynas.options import PARTS
from raynas.schedulers import SCHEDULERS
from raynas.yaml12 import parse

Scheduler = Annotated[
    str | None,
    typer.Option(
        help=f"{', '.join(SCHEDULERS)}, or a reference.",
        show_default="asha for most tasks",
    ),
]
Folds = Annotated[
    int | None,
    typer.Option(
        help="Divisions of the data that a trial trains its architecture on; its score is the "
        "mean.",
        show_default="1 for most tasks",
    ),
]
Seeds = Annotated[
    int | None,
    typer.Option(
        help="Trainings on each division, with different seeds; the score is the mean.",
        show_default="1",
    ),
]
Fidelity = Annotated[
    str | None,
    typer.Option(
        help="What the scheduler saves: 'epochs', or 'repeats', the folds and seeds of a trial.",
        show_default="epochs",
    ),
]
Finalists = Annotated[
    float | None,
    typer.Option(
        help="Share of the trials that train the best architectures again at the end, on other "
        "divisions of the data: 0.1.",
        show_default="0",
    ),
]
Tune = Annotated[
    str | None,
    typer.Option(
        help="Fields of the training recipe to search too, separated by commas: lr,weight_decay.",
        show_default=False,
    ),
]
Trials = Annotated[
    int | None,
    typer.Option(
        help="Number of trials to start, at least 1.",
        show_default="40, or as many as --time and --gpu-hours allow",
    ),
]
Time = Annotated[
    str | None,
    typer.Option(
        help="Time limit of the search, above 0: 2h, 90m, 30s, 1h30m or seconds.",
        show_default="no limit",
    ),
]
GpuHours = Annotated[
    float | None,
    typer.Option(
        help="Limit of GPU-hours, summed over all workers; above 0.", show_default="no limit"
    ),
]
Target = Annotated[
    str | None,
    typer.Option(
        metavar="METRIC=VALUE",
        help="End the search when a trial ends with this score or better: val_accuracy=0.98.",
        show_default="none",
    ),
]
MaxFailures = Annotated[
    int | None,
    typer.Option(
        help="End the search after this number of failed trials, at least 1.",
        show_default="no limit",
    ),
]
Cpus = Annotated[
    float | None,
    typer.Option(
        help="CPU cores of each worker of a trial, at least 0; fractions allowed.",
        show_default="1",
    ),
]
Gpus = Annotated[
    str | None,
    typer.Option(
        help="GPUs of each worker of a trial, at least 0; fractions allowed. auto: as many trials "
        "on a GPU as fit into its memory.",
        metavar="FLOAT|auto",
        show_default="auto if there is a GPU, else 0",
    ),
]
WorkersPerTrial = Annotated[
    int | None,
    typer.Option(
        help="Processes that train a trial together, at least 1, each on its part of every batch.",
        show_default="1",
    ),
]
SupernetWorkers = Annotated[
    int | None,
    typer.Option(
        help="Processes that train a supernet together, at least 1.",
        show_default="as many as for a trial",
    ),
]
Concurrent = Annotated[
    int | None,
    typer.Option(help="Trials that run at once, at least 1.", show_default="as many as fit"),
]
Grace = Annotated[
    str | None,
    typer.Option(
        help="Time for trials to write a checkpoint after a signal, at least 0: 30s.",
        show_default="30s",
    ),
]
TrialTimeout = Annotated[
    str | None,
    typer.Option(
        help="Time after which a running trial fails, above 0: 10m.",
        show_default="20 times the longest epoch without a report, at least 1h",
    ),
]
Address = Annotated[
    str | None,
    typer.Option(
        help="Address of the Ray cluster to join.",
        show_default="RAY_ADDRESS, or a new local Ray",
    ),
]
Verbose = Annotated[bool | None, typer.Option("--verbose", help="Show the output of Ray.")]
DataDir = Annotated[
    Path | None,
    typer.Option(**path_of("--data-dir", help="Folder of the data sets.", show_default="data")),
]
Download = Annotated[bool | None, typer.Option("--download", help="Download missing data sets.")]
BestKnown = Annotated[
    float | None,
    typer.Option(
        help="Best value of the first objective that there can be; then the regret is shown, too.",
        show_default="unknown",
    ),
]
Log = Annotated[
    str | None,
    typer.Option(
        help="Experiment trackers that get the trials, too, separated by commas: wandb,mlflow.",
        show_default="none",
    ),
]
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


def names(text: str | None) -> list[str] | None:
    """Return the names in a text, which are separated by commas; none for no text."""
    return text.split(",") if text else None


def one_or_more(text: str | None) -> str | tuple[str, ...] | None:
    """Return the only name in a text, or several that are separated by commas."""
    found = names(text)
    return tuple(found) if found and len(found) > 1 else text


def given(**settings: Any) -> dict[str, Any]:
    """Return the settings that are not none."""
    return {name: value for name, value in settings.items() if value is not None}


def with_options(settings: dict[str, Any], assignments: Sequence[str] | None) -> dict[str, Any]:
    """Return ``settings`` with ``part.option=value`` assignments added; later ones win.

    Raises:
        ConfigError: An assignment has another form, or its part is unknown.
    """
    result = dict(settings)
    for part, options in by_part(assignments, PARTS).items():
        field = PARTS[part]
        others = result.get(field, {})
        if not isinstance(others, dict):
            raise ConfigError(
                f"{field} must hold options, one 'name: value' on each line, got {others!r}"
            )
        result[field] = {**others, **options}
    return result


def by_part(
    assignments: Sequence[str] | None, parts: Collection[str]
) -> dict[str, dict[str, Any]]:
    """Return the options of each part from ``part.option=value`` assignments; later ones win.

    Parts and options may contain points. If several parts match, the longest one is used.

    Raises:
        ConfigError: An assignment has another form, its part is unknown, or its value is not
            valid YAML.
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
