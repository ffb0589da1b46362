"""`raynas bench`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from raynas.cli.consoles import NOTICES, RESULTS, repaints
from raynas.cli.paths import path_of
from raynas.cli.settings import by_part
from raynas.errors import ConfigError, RunError, unknown

if TYPE_CHECKING:
    from raynas.experiment.bench import Bench
    from raynas.insight.regret import Comparison

_USUAL = (25, 50, 100)  # the points to show below the largest number of trainings


def bench(  # noqa: PLR0913 - a command's arguments are its options
    table: Annotated[
        str, typer.Option(help="nasbench201, digits, package.module:Class or file.py:Class.")
    ] = "nasbench201",
    data: Annotated[
        Path | None,
        typer.Option(**path_of("--data", help="The table's file or folder.", show_default=False)),
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(
            help="Data sets of the table, separated by commas.", show_default="its first"
        ),
    ] = None,
    searcher: Annotated[
        str,
        typer.Option(
            help="Searchers, separated by commas: names or references; [b]tpe=optuna[/] gives "
            "optuna the name tpe."
        ),
    ] = "auto",
    scheduler: Annotated[str, typer.Option(help="A scheduler's name, or a reference.")] = "none",
    evaluations: Annotated[
        str | None,
        typer.Option(
            help="Trainings per run, at least 1; several, separated by commas, are shown each.",
            show_default="25,50,100,150, unless --seconds is given",
        ),
    ] = None,
    seconds: Annotated[
        str | None,
        typer.Option(
            help="Simulated seconds per run, above 0; several, separated by commas, are shown "
            "each.",
            show_default="no limit",
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            help="Full length of a trial, at least 1.", show_default="the table's longest"
        ),
    ] = None,
    workers: Annotated[int, typer.Option(help="Trainings that run at once, at least 1.")] = 1,
    seeds: Annotated[int, typer.Option(help="Runs of each searcher, at least 1.")] = 50,
    first_seed: Annotated[int, typer.Option(help="The seed of the first run, at least 0.")] = 0,
    jobs: Annotated[int, typer.Option(help="Processes to use, at least 1.")] = 1,
    as_json: Annotated[
        Path | None,
        typer.Option(
            "--json",
            **path_of("--json", help="File for all results and curves.", show_default=False),
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            **path_of("--plot", help="File for the regret curves, such as out.png."),
            show_default=False,
        ),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="One option of [b]table[/], of [b]scheduler[/], of one searcher by its name, "
            "such as [b]evolution.population_size=30[/], or of all searchers, with "
            "[b]searcher[/].",
            metavar="PART.OPTION=VALUE",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Compare searchers on a table of recorded trainings, with a virtual clock.

    Nothing is trained: the results and times of trainings come from a table of recorded ones.
    """
    from raynas.experiment.bench import Bench  # noqa: PLC0415 - keeps --help fast

    searchers = dict(_named(text) for text in searcher.split(","))
    options = by_part(option, dict.fromkeys(("table", "scheduler", "searcher", *searchers)))
    given: dict[str, Any] = {} if data is None else {"data": str(data)}
    settings = Bench(
        table=table,
        table_options={**given, **options.get("table", {})},
        searchers=searchers,
        scheduler=scheduler,
        scheduler_options=options.get("scheduler", {}),
        searcher_options={
            name: {**options.get("searcher", {}), **options.get(name, {})} for name in searchers
        },
        evaluations=_points("--evaluations", evaluations or ("" if seconds else "150"), _USUAL),
        seconds=_points("--seconds", seconds or "", ()),
        epochs=epochs,
        workers=workers,
        seeds=seeds,
        first_seed=first_seed,
    )
    _check_outputs(jobs, as_json, plot)
    comparisons = _compare(settings, dataset.split(",") if dataset else [], jobs)
    if as_json:
        results = {one.name: one.as_data() for one in comparisons}
        document = {"settings": settings.described(), "results": results}
        as_json.write_text(json.dumps(document) + "\n", encoding="utf-8")
    if plot:
        from raynas.insight.plots import regret  # noqa: PLC0415

        regret.plot(comparisons, plot)
    if empty := [one.name for one in comparisons if one.empty]:
        raise RunError(
            f"no run on {', '.join(empty)} has a score: what failed is said above; if nothing is, "
            "no training ended within --evaluations and --seconds, so give more"
        )


def _check_outputs(jobs: int, as_json: Path | None, plot: Path | None) -> None:
    """Check before the comparison that its results can be written.

    Raises:
        ConfigError: They cannot, or the number of jobs is below 1.
    """
    if jobs < 1:
        raise ConfigError(f"--jobs must be at least 1, got {jobs}")
    for file in filter(None, (as_json, plot)):
        if not file.parent.is_dir():
            raise ConfigError(f"there is no folder {file.parent} to write {file.name} to")
    if plot:
        from matplotlib.figure import Figure  # noqa: PLC0415 - keeps --help fast

        known = Figure().canvas.get_supported_filetypes()
        if plot.suffix.removeprefix(".") not in known:
            raise ConfigError(unknown("kind of picture", plot.suffix.removeprefix("."), known))


def _compare(settings: Bench, datasets: Sequence[str], jobs: int) -> list[Comparison]:
    """Compare the searchers on each data set, with a progress bar, and print the results."""
    from rich.progress import Progress  # noqa: PLC0415 - keeps --help fast

    from raynas.experiment.bench import bench as run  # noqa: PLC0415
    from raynas.insight.text.regret import print_comparison  # noqa: PLC0415

    benches = {
        name: replace(settings, table_options={**settings.table_options, "dataset": name})
        for name in datasets
    } or {settings.table: settings}
    comparisons = []
    for name, one in benches.items():
        with Progress(console=NOTICES, transient=True, disable=not repaints()) as progress:
            task = progress.add_task(name, total=one.runs)
            comparisons.append(run(one, name, jobs, partial(progress.advance, task)))
        print_comparison(RESULTS, comparisons[-1])
    return comparisons


def _named(text: str) -> tuple[str, str]:
    name, _, reference = text.strip().partition("=")
    return name, reference or name


def _points(option: str, text: str, usual: Sequence[int]) -> tuple[float, ...]:
    """Return the points to show: the given numbers; for one number, the usual ones below it too.

    Raises:
        ConfigError: The text is not a list of numbers.
    """
    try:
        points = sorted({float(part) for part in text.split(",") if text})
    except ValueError:
        raise ConfigError(f"{option} must be numbers, separated by commas, got {text!r}") from None
    if len(points) == 1:
        points = [*(point for point in usual if point < points[0]), *points]
    return tuple(int(point) if point.is_integer() else point for point in map(float, points))
