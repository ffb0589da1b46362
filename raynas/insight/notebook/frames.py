"""The journal as data frames: one row for each trial, or one row for each report."""

from __future__ import annotations

from collections.abc import Container
from typing import TYPE_CHECKING, Any, Final

from raynas.insight.wording import status
from raynas.trial import Failed, History, Report, Trial

if TYPE_CHECKING:
    import pandas as pd

_TRIAL: Final = ("trial", "status", "parent", "epochs", "seconds", "started", "ended", "reason")
_REPORT: Final = ("trial", "epoch", "seconds", "at", "worker")


def trials(history: History) -> pd.DataFrame:
    """Return one row for each trial, in the order they started.

    Args:
        history: All events of the run.

    Returns:
        The columns ``trial`` (its number), ``status``, ``parent`` (the trial it was derived
        from), ``epochs``, ``seconds`` (of training), ``started`` and ``ended`` (times with time
        zone UTC; in a simulation, of the virtual clock), ``reason`` (of a failure), one column
        for each metric of the last report, one for each decision (its path), ``identity`` and
        ``repeat``. What does not apply or is not known is missing. A metric with the name of
        another column has the prefix ``metric.``, a decision the prefix ``decision.``. The option
        None is the text ``None``, because a decision that is not active is missing.
    """
    import pandas as pd  # noqa: PLC0415 - half a second that only tables need

    metrics = {name for trial in history.trials.values() for name in trial.metrics}
    rows = [_trial(trial, metrics) for trial in history.trials.values()]
    frame = pd.DataFrame(rows, columns=[*dict.fromkeys((*_TRIAL, *(n for r in rows for n in r)))])
    for name in ("started", "ended"):
        frame[name] = pd.to_datetime(frame[name], unit="s", utc=True)
    return frame.astype({"trial": "Int64", "parent": "Int64", "epochs": "Int64"})


def reports(history: History) -> pd.DataFrame:
    """Return one row for each report, by trial and epoch.

    Args:
        history: All events of the run.

    Returns:
        The columns ``trial`` (its number), ``epoch``, ``seconds`` (of this epoch), ``at`` (a time
        with time zone UTC), ``worker`` and one for each metric. Trials that were answered by
        another trial have no rows. A metric with the name of another column has the prefix
        ``metric.``.
    """
    import pandas as pd  # noqa: PLC0415 - see trials

    trained = (trial for trial in history.trials.values() if trial.trained)
    rows = [_report(report) for trial in trained for report in trial.reports]
    frame = pd.DataFrame(rows, columns=[*dict.fromkeys((*_REPORT, *(n for r in rows for n in r)))])
    frame["at"] = pd.to_datetime(frame["at"], unit="s", utc=True)
    return frame.astype({"trial": "int64", "epoch": "int64"})


def _trial(trial: Trial, every: set[str]) -> dict[str, Any]:
    """Return the row of a trial, given the names of the metrics that any trial has."""
    own = {
        "trial": trial.number,
        "status": status(trial),
        "parent": trial.started.parent,
        "epochs": trial.epoch,
        "seconds": trial.seconds,
        "started": trial.started.at,
        "ended": trial.outcome.at if trial.outcome else None,
        "reason": trial.outcome.reason if isinstance(trial.outcome, Failed) else None,
    }
    last = {"identity": trial.identity, "repeat": trial.started.repeat}
    taken = own.keys() | last.keys()
    metrics = {_free(name, taken, "metric"): value for name, value in trial.metrics.items()}
    decided = {
        _free(path, taken | every, "decision"): "None" if value is None else value
        for path, value in trial.architecture.items()
    }
    return {**own, **metrics, **decided, **last}


def _report(report: Report) -> dict[str, Any]:
    own = {
        "trial": report.number,
        "epoch": report.epoch,
        "seconds": report.seconds,
        "at": report.at,
        "worker": report.worker,
    }
    return own | {_free(name, {*own}, "metric"): v for name, v in report.metrics.items()}


def _free(name: str, taken: Container[str], kind: str) -> str:
    """Return the name of a column that is not taken."""
    return f"{kind}.{name}" if name in taken else name
