"""Trials as CSV: what is known of each, one column for each metric and each decision."""

from __future__ import annotations

import csv
import io
from collections.abc import Container, Sequence, Set
from datetime import UTC, datetime
from typing import Any, Final

from raynas.insight.leaderboard import FRONT, WINNER, Row
from raynas.insight.wording import harmless
from raynas.trial import History, Trial

_FIRST: Final = (
    "rank",
    "trial",
    "status",
    WINNER,
    FRONT,
    "epochs",
    "seconds",
    "reason",
    "identity",
)


def trials_csv(history: History, rows: Sequence[Row]) -> str:
    """Return trials as CSV, with a line of names first.

    A metric with the name of another column has the prefix ``metric.``, a decision the prefix
    ``decision.``. A decision that is not active is empty, as is what is not known.

    Args:
        history: All events of the run.
        rows: The rows of the leaderboard that are wanted.
    """
    trials = [history.trials[row["trial"]] for row in rows]
    metrics = frozenset(name for trial in trials for name in trial.metrics)
    found = [_columns(row, trial, metrics) for row, trial in zip(rows, trials, strict=True)]
    several = len(history.objectives) > 1
    names = [name for name in (*_FIRST, "parent", "begun") if several or name != FRONT]
    names = [*dict.fromkeys((*names, *(name for row in found for name in row)))]
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(found)
    return harmless(text.getvalue())


def _columns(row: Row, trial: Trial, every: Set[str]) -> dict[str, Any]:
    """Return the columns of a trial, given the names of the metrics that any trial has."""
    own: Row = {name: row[name] for name in _FIRST if name in row}
    own["parent"] = trial.started.parent
    own["begun"] = datetime.fromtimestamp(trial.started.at, UTC).isoformat()
    metrics = {_free(name, own, "metric"): value for name, value in trial.metrics.items()}
    taken = own.keys() | every
    decisions = {_free(path, taken, "decision"): one for path, one in trial.architecture.items()}
    return own | metrics | decisions


def _free(name: str, taken: Container[str], kind: str) -> str:
    """Return the name of a column that is not taken."""
    return f"{kind}.{name}" if name in taken else name
