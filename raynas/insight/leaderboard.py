"""Every trial of a run, best first: for pandas, for people, for pipes and for programs."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from rich.table import Table

from raynas.insight.front import front
from raynas.insight.outcome_counts import ranking_key
from raynas.insight.wording import count, duration, metric, status
from raynas.trial import Failed, Finished, History, Trial

if TYPE_CHECKING:
    import pandas as pd

_BEFORE: Final = ("rank", "trial", "status")
_AFTER: Final = ("params", "flops", "epochs", "seconds", "identity", "architecture", "reason")
_WHOLE: Final = ("rank", "trial", "params", "flops", "epochs")
_FRONT: Final = "front"
_HEADS: Final = {"rank": "#", "flops": "FLOPs", "seconds": "time"}


def leaderboard(history: History) -> pd.DataFrame:
    """Return one row per trial.

    Ranked are the trials that were trained and finished or were stopped early: the longest
    trained first, of these the least loss first (by the first objective, of equals by the next),
    as ``History.best`` has it. That is how the winner is chosen too, unless the searcher
    recommends another one. Below them, without a rank, stand the trials answered by another one,
    the running ones and, last, the failed ones.

    Returns:
        Columns ``rank``, ``trial`` (number), ``status``, with several objectives ``front``
        (whether it is on the Pareto front), each objective's metric, ``params``, ``flops``,
        ``epochs``, ``seconds`` (of training), ``identity``, ``architecture`` (JSON)
        and ``reason`` (of a failure). What is not known is missing (NA or NaN).
    """
    import pandas as pd  # noqa: PLC0415 - half a second that only tables need

    metrics = _metrics(history)
    trials = sorted(history.trials.values(), key=ranking_key)
    rows = [_row(rank, trial, metrics) for rank, trial in enumerate(trials, start=1)]
    frame = pd.DataFrame(rows, columns=[*_BEFORE, *metrics, *_AFTER])
    if len(history.objectives) > 1:
        frame.insert(len(_BEFORE), _FRONT, frame["trial"].isin(front(history)))
    floats = dict.fromkeys(["seconds", *metrics], "float64")
    return frame.astype(dict.fromkeys(_WHOLE, "Int64") | floats)


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows ready for JSON: what is missing or not finite is none."""
    return [
        {str(name): _plain(str(name), value) for name, value in row.items()}
        for row in frame.astype(object).to_dict("records")
    ]


def as_table(frame: pd.DataFrame) -> Table:
    """Return the rows as a table for a terminal."""
    heads, *rows = _cells(frame)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for head in heads:
        table.add_column(head, justify="left" if head in {"status", "reason"} else "right")
    for row in rows:
        style = "bold green" if row[0] == "1" else "dim" if not row[0] else ""
        table.add_row(*row, style=style)
    return table


def as_lines(frame: pd.DataFrame) -> Iterator[str]:
    """Yield the rows as aligned plain text, the heads first."""
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
    ranked = isinstance(trial.outcome, Finished) and trial.trained
    return {
        "rank": rank if ranked else None,
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


def _rounded(number: float | None) -> int | None:
    return None if number is None or not math.isfinite(number) else round(number)


def _plain(name: str, value: Any) -> Any:
    if name == "architecture":
        return json.loads(value)
    if isinstance(value, str):
        return value
    if name == _FRONT:
        return bool(value)
    number = _known(value)
    return int(number) if name in _WHOLE and number is not None else number


def _known(value: Any) -> float | None:
    import pandas as pd  # noqa: PLC0415 - see leaderboard

    return None if pd.isna(value) or not math.isfinite(value) else float(value)


def _cells(frame: pd.DataFrame) -> list[list[str]]:
    hidden = {"identity", "architecture", "status", "reason"}
    names = [name for name in frame.columns if name not in hidden] + ["status"]
    heads = [_HEADS.get(name, name) for name in names]
    rows = [
        [_cell(name, value) for name, value in zip(names, row, strict=True)]
        for row in frame[names].itertuples(index=False, name=None)
    ]
    reasons = frame["reason"].tolist()
    for row, reason in zip(rows, reasons, strict=True):
        if isinstance(reason, str):
            row[-1] = f"failed: {reason}"
    return [heads, *rows]


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
