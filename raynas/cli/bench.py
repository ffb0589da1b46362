"""`raynas bench`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from raynas.errors import ConfigError

_USUAL = (25, 50, 100, 150)  # numbers of evaluations at which to look


def bench(  # noqa: PLR0913 - a command's arguments are its options
    data: Annotated[
        Path | None, typer.Option(help="Where the table's numbers lie.", show_default=False)
    ] = None,
    table: Annotated[
        str, typer.Option(help="nasbench201, package.module:Class or file.py:Class.")
    ] = "nasbench201",
    dataset: Annotated[
        str,
        typer.Option(
            help="Data sets of the table, with commas between.", show_default="the table's first"
        ),
    ] = "",
    searcher: Annotated[
        str,
        typer.Option(
            help="Searchers, with commas between; [b]mine=optuna[/] gives one a name of yours.",
        ),
    ] = "evolution",
    scheduler: Annotated[str, typer.Option(help="none, asha, or a reference.")] = "none",
    evaluations: Annotated[
        str | None,
        typer.Option(
            help="Trainings per run; with commas, where to look.", show_default="25,50,100,150"
        ),
    ] = None,
    seconds: Annotated[
        str | None,
        typer.Option(
            help="Simulated seconds per run; with commas, where to look.", show_default="no limit"
        ),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(help="Full length of a trial.", show_default="the table's")
    ] = None,
    workers: Annotated[int, typer.Option(help="Trainings at once.")] = 1,
    seeds: Annotated[int, typer.Option(help="Runs of each searcher.")] = 50,
    seed: Annotated[int, typer.Option(help="Seed of the first run.")] = 0,
    jobs: Annotated[int, typer.Option(help="Processes to use.")] = 1,
    as_json: Annotated[
        Path | None, typer.Option("--json", help="File for all figures and curves.")
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="An option of the table, the scheduler or a searcher by its name, such as "
            "[b]evolution.population_size=30[/].",
            metavar="PART.OPTION=VALUE",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Compare searchers on a table of recorded trainings, under a virtual clock."""
    from rich.console import Console  # noqa: PLC0415 - help must not wait for these

    from raynas.experiment import bench as benches  # noqa: PLC0415
    from raynas.insight.bench_table import print_bench  # noqa: PLC0415
    from raynas.insight.regret import as_data  # noqa: PLC0415

    searchers = dict(_named(text) for text in searcher.split(","))
    options = _options(option)
    settings = benches.Bench(
        table=table,
        searchers=searchers,
        searcher_options={n: v for n, v in options.items() if n not in ("table", "scheduler")},
        scheduler=scheduler,
        scheduler_options=options.get("scheduler", {}),
        evaluations=_points("--evaluations", evaluations, _USUAL, None if seconds else "150"),
        seconds=_points("--seconds", seconds, (), None),
        epochs=epochs,
        workers=workers,
        seeds=seeds,
        first_seed=seed,
    )
    console = Console(highlight=False)
    results: dict[str, Any] = {}
    for name in dataset.split(","):
        given: dict[str, Any] = {"data": data} if data else {}
        given |= {"dataset": name} if name else {}
        one = replace(settings, table_options={**given, **options.get("table", {})})
        reached = benches.bench(one, jobs)
        shown = {"trainings": one.evaluations, "seconds": one.seconds}
        print_bench(console, name or table, reached, shown)
        results[name or table] = {
            label: as_data(of_one, reached[benches.YARDSTICK], shown)
            for label, of_one in reached.items()
        }
    if as_json:
        as_json.write_text(json.dumps({"results": results}, indent=1) + "\n", encoding="utf-8")


def _named(text: str) -> tuple[str, str]:
    name, _, reference = text.strip().partition("=")
    return name, reference or name


def _points(
    option: str, text: str | None, usual: tuple[int, ...], default: str | None
) -> tuple[int, ...]:
    """Return where to look: the numbers given, or up to the only one given the usual ones."""
    text = text or default
    if text is None:
        return ()
    try:
        points = sorted({int(float(part)) for part in text.split(",")})
    except ValueError:
        raise ConfigError(f"{option} takes numbers with commas between, got {text!r}") from None
    if len(points) == 1:
        points = sorted({*(point for point in usual if point < points[0]), *points})
    return tuple(points)


def _options(assignments: list[str] | None) -> dict[str, dict[str, Any]]:
    import yaml  # noqa: PLC0415 - help must not wait for it

    found: dict[str, dict[str, Any]] = {}
    for assignment in assignments or ():
        target, equals, text = assignment.partition("=")
        part, dot, name = target.partition(".")
        if not (equals and dot and name):
            raise ConfigError(f"--set takes PART.OPTION=VALUE, got {assignment!r}")
        found.setdefault(part, {})[name] = yaml.safe_load(text)
    return found
