"""The leaderboard: all trials of a run, the best first, as rows, as a data frame and for JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from raynas.errors import ConfigError
from raynas.insight.estimates import Measured, measured
from raynas.insight.front import front
from raynas.insight.outcome_counts import ranked, ranking_key
from raynas.insight.wording import status
from raynas.trial import Failed, Finished, History, Trial

if TYPE_CHECKING:
    import pandas as pd

Row = dict[str, Any]
"""The columns of a trial by name; what is not known is none."""

WINNER: Final = "winner"
FRONT: Final = "front"
BEFORE: Final = ("rank", "trial", "status", WINNER, FRONT)  # the columns before the metrics
RESTS: Final = ("trainings", "mean", "low", "high")
WHOLE: Final = ("rank", "trial", "trainings", "params", "flops", "epochs")
_AFTER: Final = ("params", "flops", "epochs", "seconds", "identity", "architecture", "reason")


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
    import pandas as pd  # noqa: PLC0415 - half a second that only frames need

    metrics = _metrics(history)
    before = [name for name in BEFORE if name != FRONT or len(history.objectives) > 1]
    found = [{**row, "architecture": row["architecture"].to_json()} for row in rows(history)]
    frame = pd.DataFrame(found, columns=[*before, *metrics, *RESTS, *_AFTER])
    floats = dict.fromkeys(["seconds", *metrics, *RESTS[1:]], "float64")
    return frame.astype(floats | dict.fromkeys(WHOLE, "Int64"))


def rows(history: History) -> list[Row]:
    """Return the rows of the leaderboard without pandas, for commands that must be fast.

    The columns are those of ``leaderboard``; an architecture is not JSON, but itself.
    """
    metrics, found = _metrics(history), measured(history)
    chosen = history.winner.number if history.winner else None
    on_front = frozenset(front(history)) if len(history.objectives) > 1 else None
    trials = sorted(history.trials.values(), key=ranking_key)
    return [
        {
            "rank": rank if ranked(trial) else None,
            "trial": trial.number,
            "status": status(trial),
            WINNER: trial.number == chosen,
            **({} if on_front is None else {FRONT: trial.number in on_front}),
            **_row(trial, metrics, found),
        }
        for rank, trial in enumerate(trials, start=1)
    ]


def top_of(rows: Sequence[Row], top: int) -> list[Row]:
    """Return the first ``top`` rows of a leaderboard, and the row of the winner."""
    return [row for at, row in enumerate(rows) if at < top or row[WINNER]]


def on_front(history: History) -> list[Row]:
    """Return the rows of the trials on the Pareto front, the best by the first objective first.

    Raises:
        ConfigError: The run has one objective.
    """
    if len(history.objectives) < 2:
        raise ConfigError(
            "a Pareto front needs a run with several objectives, this run has the objective "
            f"{history.objectives[0].metric}"
        )
    there = [row for row in rows(history) if row[FRONT]]
    return sorted(there, key=lambda row: history.trials[row["trial"]].losses)


def records(rows: Sequence[Row]) -> list[Row]:
    """Return the rows for JSON; infinite values are none."""
    return [{name: _plain(value) for name, value in row.items()} for row in rows]


def _metrics(history: History) -> list[str]:
    names = (objective.metric for objective in history.objectives)
    return [name for name in dict.fromkeys(names) if name not in _AFTER]


def _row(trial: Trial, metrics: Sequence[str], found: Mapping[str, Measured]) -> Row:
    known, failed = trial.metrics, isinstance(trial.outcome, Failed)
    scored = isinstance(trial.outcome, Finished) and trial.trained
    rests = found[trial.identity] if scored else None
    statistics = (rests.trainings, rests.mean, *rests.interval) if rests else (None,) * len(RESTS)
    return {
        **{name: None if failed else known.get(name) for name in metrics},
        **dict(zip(RESTS, statistics, strict=True)),
        "params": _rounded(known.get("params")),
        "flops": _rounded(known.get("flops")),
        "epochs": trial.epoch,
        "seconds": trial.seconds,
        "identity": trial.identity,
        "architecture": trial.architecture,
        "reason": trial.outcome.reason if isinstance(trial.outcome, Failed) else None,
    }


def _rounded(number: float | None) -> int | None:
    return None if number is None or not math.isfinite(number) else round(number)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value
