"""Many runs beside each other: one line for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from raynas.insight.text.table import aligned, fitting
from raynas.insight.wording import age, metric, on_one_line, size

State = Literal["running", "ended", "interrupted", "failed"]
_HEADS: Final = (
    *("folder", "space", "task", "searcher", "trials", "best", "winner", "test"),
    *("age", "size", "state"),
)
_LEFT: Final = ("folder", "space", "task", "searcher")
_OMITTED: Final = ("size", "task", "space", "age", "test")  # a narrow terminal omits these first


@dataclass(frozen=True, slots=True)
class RunInBrief:
    """What one line says of a run.

    Attributes:
        folder: Its folder, relative to the one that was searched.
        space: The name of its space; empty if it was an object.
        task: The name of its task, as for the space.
        searcher: The name of its searcher, as for the space.
        objective: Its first objective.
        trials: How many trials were or are being trained.
        limit: How many may be trained; none if that is not limited by their number.
        best: The best score so far; none if there is none.
        best_trial: The number of the trial with that score.
        winner: The number of the winner's trial; none before there is a winner.
        test: The test metric of the objective, of the winner.
        state: ``running`` if a process writes it; ``ended`` if it has an exported winner;
            ``failed`` if it has trials and each has failed; else ``interrupted``.
        seconds_ago: The seconds since its last event; none if there is no event.
        size: The size of its folder in bytes.
    """

    folder: str
    space: str
    task: str
    searcher: str
    objective: str
    trials: int
    limit: int | None
    best: float | None
    best_trial: int | None
    winner: int | None
    test: float | None
    state: State
    seconds_ago: float | None
    size: int


@dataclass(frozen=True, slots=True)
class NoRun:
    """A folder that is no run that can be read.

    Attributes:
        folder: The folder, as in ``RunInBrief``.
        reason: Why it cannot be read, in one sentence.
    """

    folder: str
    reason: str


def runs_lines(found: Sequence[RunInBrief | NoRun], width: float) -> Iterator[str]:
    """Yield one line for each run, then the folders that are none.

    Args:
        found: The runs and the other folders.
        width: The width of the terminal; infinite elsewhere. If it is too narrow, columns are
            omitted one after the other.
    """
    runs = [one for one in found if isinstance(one, RunInBrief)]
    if runs:
        several = len({run.objective for run in runs}) > 1
        heads = [*_HEADS] if several else [_best_head(runs[0], name) for name in _HEADS]
        cells = [heads, *(_cells(run, several=several) for run in runs)]
        yield from aligned(fitting(cells, width, _OMITTED), width, _LEFT)
    else:
        yield "there is no run"
    others = [one for one in found if isinstance(one, NoRun)]
    if others:
        yield ""
    yield from (f"{on_one_line(one.folder)}: {on_one_line(one.reason)}" for one in others)


def _best_head(run: RunInBrief, name: str) -> str:
    return on_one_line(run.objective) if name == "best" else name


def _cells(run: RunInBrief, *, several: bool) -> list[str]:
    best = "" if run.best is None else metric(run.objective, run.best)
    test = "" if run.test is None else metric(run.objective, run.test)
    return [
        *map(on_one_line, (run.folder, run.space, run.task, run.searcher)),
        f"{run.trials}" if run.limit is None else f"{run.trials}/{run.limit}",
        f"{on_one_line(run.objective)} {best}" if several and best else best,
        "" if run.winner is None else str(run.winner),
        test,
        "" if run.seconds_ago is None else age(run.seconds_ago),
        size(run.size),
        run.state,
    ]
