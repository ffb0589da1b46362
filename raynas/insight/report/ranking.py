"""The leaderboard of a report: all trials, to be sorted and filtered."""

from __future__ import annotations

import math
from typing import Any, Final

from raynas.insight.leaderboard import leaderboard
from raynas.insight.report.contenders import in_one_line
from raynas.insight.report.table import Cell, Row, Table, of_rows
from raynas.insight.text.drawing import draw
from raynas.insight.wording import count, duration, metric
from raynas.trial import Failed, History, Trial

_SHORT: Final = 24  # characters of an architecture that are not folded away
_COSTS: Final = ("params", "flops")
_HEADS: Final = {"params": "parameters", "flops": "FLOPs"}


def ranking(history: History) -> Table:
    """Return one row for each trial, the best first, as in ``insight.leaderboard``."""
    frame = leaderboard(history)
    objectives = list(dict.fromkeys(one.metric for one in history.objectives))
    costs = [one for one in _COSTS if one not in objectives and frame[one].notna().any()]
    first = objectives[0]
    spread = bool(frame["low"].notna().any()) and first in frame
    heads = ["rank", "trial", "status", first]
    heads += ["± (95 %)"] if spread else []
    heads += [*objectives[1:], *(_HEADS[one] for one in costs), "epochs", "time", "architecture"]
    rows = [
        _row(values, history.trials[int(values["trial"])], (objectives, costs, spread))
        for values in frame.astype(object).to_dict("records")
    ]
    return of_rows("all trials, the best first", heads, rows)


def _row(values: dict[Any, Any], trial: Trial, columns: tuple[list[str], list[str], bool]) -> Row:
    objectives, costs, spread = columns
    failed = isinstance(trial.outcome, Failed)
    scores = [_metric(one, values, failed=failed) for one in objectives]
    if spread:
        scores.insert(1, _margin(objectives[0], values))
    rank = _known(values["rank"])
    said = values["status"]
    notes = [said, *(["winner"] if values["winner"] else ())]
    notes += ["on the front"] if values.get("front") else []
    cells = [
        Cell("" if rank is None else f"{rank:.0f}", rank),
        Cell(str(trial.number), trial.number),
        Cell(", ".join(notes)),
        *scores,
        *(_metric(one, values, failed=False) for one in costs),
        Cell(str(trial.epoch), trial.epoch),
        Cell(duration(trial.seconds), trial.seconds),
        _architecture(trial),
    ]
    group = "answered from the journal" if said.startswith("answered") else said
    return Row(cells, bool(values["winner"]), group)


def _metric(name: str, values: dict[Any, Any], *, failed: bool) -> Cell:
    number = None if failed and name not in _COSTS else _known(values.get(name))
    if number is None:
        return Cell("")
    return Cell(count(number) if name in _COSTS else metric(name, number), number)


def _margin(name: str, values: dict[Any, Any]) -> Cell:
    low, high = _known(values["low"]), _known(values["high"])
    if low is None or high is None:
        return Cell("")
    half = (high - low) / 2
    return Cell(f"± {metric(name, half)}", half)


def _architecture(trial: Trial) -> Cell:
    short = in_one_line(trial.architecture)
    if len(short) <= _SHORT:
        return Cell(short)
    return Cell(f"{short[:_SHORT].rstrip()}…", more=draw(trial.architecture))


def _known(value: Any) -> float | None:
    import pandas as pd  # noqa: PLC0415 - the leaderboard has loaded it

    return None if pd.isna(value) or not math.isfinite(value) else float(value)
