"""The accounts of a report: how the time was used, what failed, and when processes worked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from raynas.insight.ledger import Ledger, Share, ledger
from raynas.insight.report.table import Cell, Table, table
from raynas.insight.text.ledger import totals
from raynas.insight.wording import duration, plural
from raynas.trial import Failed, History

_NAMED: Final = 12  # trials that are named in one cell
_REASONS: Final = 50  # rows for reasons
_LONG: Final = 600  # characters of a reason
_WORKERS: Final = 32  # rows for workers
_DETAIL: Final = 6000  # characters of a traceback: its end says what happened


def times(history: History, paused_trials: Collection[int] = ()) -> list[Table]:
    """Return how the time was used: in total, by epochs and by worker."""
    books = ledger(history, paused_trials)
    found = [table("in total", ["what", "time"], [*map(list, totals(books))])]
    if books.rungs:
        found.append(_shares("by epochs", "epochs", books.rungs, books))
    if books.workers:
        busiest = sorted(books.workers, key=lambda share: -share.seconds)[:_WORKERS]
        found.append(_shares("by worker, the busiest first", "worker", busiest, books))
    return found


def failures(history: History) -> Table | None:
    """Return the failures by reason, the most frequent first; none if nothing failed."""
    groups: defaultdict[tuple[str, str], list[Failed]] = defaultdict(list)
    for trial in history.trials.values():
        if isinstance(trial.outcome, Failed):
            groups[trial.outcome.reason, trial.outcome.cause].append(trial.outcome)
    if not groups:
        return None
    ordered = sorted(groups.items(), key=lambda item: -len(item[1]))
    rows: list[list[object]] = [
        [
            _reason(reason, group),
            cause,
            Cell(str(len(group)), len(group)),
            _numbers([one.number for one in group]),
        ]
        for (reason, cause), group in ordered[:_REASONS]
    ]
    if len(ordered) > _REASONS:
        rows.append([plural(len(ordered) - _REASONS, "other reason"), "", "", ""])
    return table("failures by reason", ["reason", "blamed on", "how many", "trials"], rows)


def retries(history: History) -> Table | None:
    """Return how often trials were tried again, by reason; none if none was."""
    groups: defaultdict[str, list[int]] = defaultdict(list)
    for trial in history.trials.values():
        for retry in trial.retries:
            groups[retry.reason].append(trial.number)
    rows = [
        [reason, Cell(str(len(numbers)), len(numbers)), _numbers(numbers)]
        for reason, numbers in sorted(groups.items(), key=lambda item: -len(item[1]))
    ]
    heads = ["reason", "how often", "trials"]
    return table("tried again, by reason", heads, rows) if rows else None


def sessions(history: History) -> Table | None:
    """Return when processes worked on the run; none before the first began."""
    rows = [
        [
            moment(session.opened.at),
            Cell(duration(session.seconds), session.seconds),
            Cell(str(session.opened.slots), session.opened.slots),
            Cell(f"{session.opened.gpus:g}", session.opened.gpus),
        ]
        for session in history.sessions
    ]
    heads = ["began", "searched for", "trials at once", "GPUs of a trial"]
    return table("processes that worked on the run", heads, rows) if rows else None


def moment(at: float) -> str:
    """Return a time of the journal as text, in UTC."""
    try:
        return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC"
    except (OverflowError, OSError, ValueError):  # a damaged journal, or a strange clock
        return f"{at:g} s"


def _shares(caption: str, name: str, shares: Sequence[Share], books: Ledger) -> Table:
    rows = [
        [
            share.name,
            Cell(str(share.trials), share.trials),
            Cell(str(share.epochs), share.epochs),
            Cell(duration(share.seconds), share.seconds),
            _percent(share.seconds, books.trained),
        ]
        for share in shares
    ]
    return table(caption, [name, "trials", "epochs trained", "time", "share"], rows)


def _percent(part: float, whole: float) -> Cell:
    return Cell(f"{part / whole:.1%}", part / whole) if whole else Cell("")


def _reason(reason: str, group: Sequence[Failed]) -> Cell:
    detail = next((one.detail for one in group if one.detail), "")
    cut = f"…\n{detail[-_DETAIL:]}" if len(detail) > _DETAIL else detail
    return Cell(reason if len(reason) <= _LONG else f"{reason[:_LONG]}…", more=cut)


def _numbers(numbers: Sequence[int]) -> str:
    return ", ".join(_named(sorted(set(numbers))))


def _named(numbers: Sequence[int]) -> Iterator[str]:
    yield from map(str, numbers[:_NAMED])
    if len(numbers) > _NAMED:
        yield f"and {plural(len(numbers) - _NAMED, 'other')}"
