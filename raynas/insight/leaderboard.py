"""The leaderboard: all trials of a run, the best first, as a data frame, table, text or JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator, Mapping
from itertools import compress
from typing import TYPE_CHECKING, Any, Final

from rich.table import Table

from raynas.insight.estimates import Measured, measured
from raynas.insight.front import front
from raynas.insight.outcome_counts import ranked, ranking_key
from raynas.insight.wording import count, duration, metric, status
from raynas.trial import Failed, Finished, History, Trial

if TYPE_CHECKING:
    import pandas as pd

_BEFORE: Final = ("rank", "trial", "status")
_AFTER: Final = ("params", "flops", "epochs", "seconds", "identity", "architecture", "reason")
_WHOLE: Final = ("rank", "trial", "trainings", "params", "flops", "epochs")
_RESTS: Final = ("trainings", "mean", "low", "high")
_WINNER: Final = "winner"
_FRONT: Final = "front"
_LEFT_OUT: Final = ("FLOPs", "time", "params", "epochs")  # a narrow terminal omits these first
_STATUS: Final = 20  # the minimum width of the status, in characters
_HEADS: Final = {"rank": "#", "flops": "FLOPs", "seconds": "time", "low": "95 %"}


def leaderboard(history: History) -> pd.DataFrame:
    """Return one row for each trial.

    Trials with a score of their own have a rank, including running ones. They are sorted by
    epochs, the most first, and then by loss, the lowest first (by the first objective; if equal,
    by the next), as in ``History.best``. The winner is chosen in the same way, unless the
    searcher expects a better score on new data from another trial. Below them, without a rank,
    are the trials answered by another trial, the trials without a score, and the failed trials.

    Returns:
        The columns ``rank``, ``trial`` (its number), ``status``, ``winner`` (whether the trial is
        the winner), ``front`` (only with several objectives: whether it is on the Pareto front),
        the metric of each objective, the statistics of its network by the first objective
        (``trainings``, their number; ``mean``; ``low`` and ``high``, the 95 % interval, see
        ``insight.estimates``), ``params``, ``flops``, ``epochs``, ``seconds`` (of training),
        ``identity``, ``architecture`` (JSON) and ``reason`` (of a failure). Unknown values are
        missing (NA or NaN).
    """
    import pandas as pd  # noqa: PLC0415 - half a second that only tables need

    metrics = _metrics(history)
    trials, found = sorted(history.trials.values(), key=ranking_key), measured(history)
    rows = [
        _row(rank, trial, metrics) | _rests(trial, found)
        for rank, trial in enumerate(trials, start=1)
    ]
    frame = pd.DataFrame(rows, columns=[*_BEFORE, *metrics, *_RESTS, *_AFTER])
    chosen = history.winner.number if history.winner else None
    frame.insert(len(_BEFORE), _WINNER, frame["trial"] == chosen)
    if len(history.objectives) > 1:
        frame.insert(len(_BEFORE) + 1, _FRONT, frame["trial"].isin(front(history)))
    floats = dict.fromkeys(["seconds", *metrics, *_RESTS[1:]], "float64")
    return frame.astype(floats | dict.fromkeys(_WHOLE, "Int64"))


def top_of(frame: pd.DataFrame, top: int) -> pd.DataFrame:
    """Return the first ``top`` rows of a leaderboard, and the row of the winner."""
    shown = [at < top or chosen for at, chosen in enumerate(frame[_WINNER].tolist())]
    return frame.loc[shown]


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows for JSON; missing and infinite values are none."""
    return [
        {str(name): _plain(str(name), value) for name, value in row.items()}
        for row in frame.astype(object).to_dict("records")
    ]


def as_table(frame: pd.DataFrame, width: int, objectives: Collection[str] = ()) -> Table:
    """Return the rows as a table for a terminal.

    Args:
        frame: The leaderboard.
        width: The width of the terminal. If it is too narrow, columns with costs are omitted one
            after the other.
        objectives: The metrics that are never omitted.
    """
    heads, *rows = _fitting(_cells(frame), width, {_HEADS.get(one, one) for one in objectives})
    table = Table(box=None, header_style="bold", pad_edge=False)
    for head in heads:
        if head == "status":
            table.add_column(head)
        else:
            table.add_column(head, justify="right", no_wrap=True)
    chosen = frame[_WINNER].tolist()
    first = frame["rank"] == 1
    marked = chosen if any(chosen) else first.fillna(value=False).tolist()
    for row, mark in zip(rows, marked, strict=True):
        style = "bold green" if mark else "dim" if not row[0] else ""
        table.add_row(*row, style=style)
    return table


def as_lines(frame: pd.DataFrame) -> Iterator[str]:
    """Yield the rows as aligned plain text; the first line has the names of the columns."""
    cells = _cells(frame)
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        *most, last = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join((*most, last.lstrip()))


def _metrics(history: History) -> list[str]:
    names = (objective.metric for objective in history.objectives)
    return [name for name in dict.fromkeys(names) if name not in _AFTER]


def _row(rank: int, trial: Trial, metrics: list[str]) -> dict[str, Any]:
    failed = isinstance(trial.outcome, Failed)
    known = {} if failed else trial.metrics
    return {
        "rank": rank if ranked(trial) else None,
        "trial": trial.number,
        "status": status(trial),
        **{name: known.get(name, math.nan) for name in metrics},
        **{name: _rounded(trial.metrics.get(name)) for name in ("params", "flops")},
        "epochs": trial.epoch,
        "seconds": trial.seconds,
        "identity": trial.identity,
        "architecture": trial.architecture.to_json(),
        "reason": trial.outcome.reason if isinstance(trial.outcome, Failed) else None,
    }


def _rests(trial: Trial, found: Mapping[str, Measured]) -> dict[str, Any]:
    """Return the statistics of a trial's network; empty if the trial has not finished."""
    if not (isinstance(trial.outcome, Finished) and trial.trained):
        return {}
    rests = found[trial.identity]
    return dict(zip(_RESTS, (rests.trainings, rests.mean, *rests.interval), strict=True))


def _rounded(number: float | None) -> int | None:
    return None if number is None or not math.isfinite(number) else round(number)


def _plain(name: str, value: Any) -> Any:
    if name == "architecture":
        return json.loads(value)
    if isinstance(value, str):
        return value
    if name in {_FRONT, _WINNER}:
        return bool(value)
    number = _known(value)
    return int(number) if name in _WHOLE and number is not None else number


def _known(value: Any) -> float | None:
    import pandas as pd  # noqa: PLC0415 - see leaderboard

    return None if pd.isna(value) or not math.isfinite(value) else float(value)


def _cells(frame: pd.DataFrame) -> list[list[str]]:
    shown = _in_words(frame)
    heads = [_HEADS.get(name, name) for name in shown.columns]
    rows = [
        [_cell(name, value) for name, value in zip(shown.columns, row, strict=True)]
        for row in shown.itertuples(index=False, name=None)
    ]
    for row, reason, chosen in zip(rows, frame["reason"], frame[_WINNER], strict=True):
        if isinstance(reason, str):
            row[-1] = f"failed: {reason}"
        elif chosen:
            row[-1] += ", winner"
    return [heads, *rows]


def _fitting(cells: list[list[str]], width: int, kept: set[str]) -> list[list[str]]:
    """Return the cells without the columns that do not fit into the width."""
    for head in _LEFT_OUT:
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        widths[-1] = min(widths[-1], _STATUS)  # only the last column may be wrapped
        if sum(widths) + 2 * (len(widths) - 1) <= width:
            break
        stay = [name != head or name in kept for name in cells[0]]
        cells = [[*compress(row, stay)] for row in cells]
    return cells


def _in_words(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows for people, with means and intervals as text if they are of interest."""
    name = next(one for one in frame.columns if one not in {*_BEFORE, _WINNER, _FRONT})
    hidden = {"identity", "architecture", "reason", _WINNER, "low", "high"}
    if name in _RESTS or not (frame["trainings"] > 1).any():
        hidden |= {"trainings", "mean"}
    if name not in _RESTS and frame["low"].notna().any():
        half = (frame["high"] - frame["low"]) / 2
        margins = [f"± {metric(name, one)}" if _known(one) is not None else "" for one in half]
        frame = frame.assign(low=margins)
        hidden.remove("low")
    means = [metric(name, one) if _known(one) is not None else "" for one in frame["mean"]]
    shown = [one for one in frame.columns if one not in hidden | {"status"}]
    return frame.assign(mean=means)[[*shown, "status"]]


def _cell(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if name == _FRONT:
        return "yes" if value else ""
    number = _known(value)
    if number is None:
        return ""
    if name == "seconds":
        return duration(number)
    if name in {"params", "flops"}:
        return count(number)
    return str(int(number)) if name in _WHOLE else metric(name, number)
