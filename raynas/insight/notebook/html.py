"""Values of a run as HTML, for a cell of a notebook.

All text is escaped, because a journal may hold any. Colours come from the page, so that the tables
are legible on light and on dark backgrounds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from raynas.insight.leaderboard import rows, top_of
from raynas.insight.outcome_counts import leading
from raynas.insight.text.leaderboard import cells
from raynas.insight.text.summary import counts, effort
from raynas.insight.wording import duration, metric, status
from raynas.space import Choice, Decision, Domain, Space
from raynas.trial import Failed, History, Trial, Winner

_TOP: Final = 10
_DECISIONS: Final = 40  # rows of a space
_LONG: Final = 120  # characters of a cell
_TABLE: Final = "border-collapse:collapse;margin:.4em 0;color:inherit;background:none"
_CELL: Final = "padding:.15em .7em;text-align:left;vertical-align:top;white-space:pre-wrap"
_LINE: Final = "border-bottom:1px solid rgba(128,128,128,.4)"


def result_html(name: str, history: History, drawing: str) -> str:
    """Return a run: what ended how, the best trials, and the winner.

    Args:
        name: The name of the run.
        history: All events of the run.
        drawing: The best architecture as ``<svg>``; empty for none.
    """
    parts = [_heading(name), _text(counts(history)), _text(effort(history))]
    best = leading(history.trials.values())
    if best is None:
        reasons = (one.outcome for one in history.failed)
        why = next((f": {one.reason}" for one in reasons if isinstance(one, Failed)), "")
        return _box([*parts, _text(f"no trial has a score{why}")])
    head, *shown = cells(top_of(rows(history), _TOP))
    parts.append(_table(shown, head))
    if len(history.trials) > len(shown):
        parts.append(_text(f"and {len(history.trials) - len(shown)} more"))
    parts.append(winner_html(history.winner) if history.winner else "")
    return _box([*parts, drawing])


def trial_html(trial: Trial) -> str:
    """Return a trial: how it ended, its metrics and its decisions."""
    facts = [status(trial), f"epochs {trial.epoch}/{trial.started.epochs}"]
    facts += [duration(trial.seconds)] if trial.seconds else []
    if trial.started.parent is not None:
        facts.append(f"derived from trial {trial.started.parent}")
    parts = [_heading(f"Trial {trial.number}"), _text(", ".join(facts))]
    if isinstance(trial.outcome, Failed):
        parts.append(_text(f"failed: {trial.outcome.reason}"))
    metrics = [(name, metric(name, value)) for name, value in trial.metrics.items()]
    decided = [(path, str(value)) for path, value in trial.architecture.items()]
    tables = [_table(metrics, ("metric", "value"))] if metrics else []
    tables.append(_table(decided, ("decision", "value")))
    return _box([*parts, _beside(tables)])


def winner_html(winner: Winner) -> str:
    """Return a winner: the results of its test, and where it is."""
    tested = [(name, metric(name, value)) for name, value in winner.metrics.items()]
    notes = [
        f"why this trial: {winner.reason}" if winner.reason else "",
        f"in the folder {winner.folder} of the run" if winner.folder else "not exported yet",
        f"note: {winner.missing}" if winner.missing else "",
    ]
    return _box(
        [
            _heading(f"Winner: trial {winner.number}"),
            _table(tested, ("metric", "test")),
            *map(_text, filter(None, notes)),
        ]
    )


def space_html(space: Space) -> str:
    """Return a space: its size, and each decision with its values."""
    decisions = [*space.decisions.values()]
    rows = [(one.path, _values(one.domain), _when(one)) for one in decisions[:_DECISIONS]]
    more = len(decisions) - len(rows)
    return _box(
        [
            _heading(repr(space).strip("<>")),
            _table(rows, ("decision", "values", "active if")),
            _text(f"and {more} more decisions") if more > 0 else "",
        ]
    )


def _values(domain: Domain) -> str:
    if isinstance(domain, Choice):
        return ", ".join(map(str, domain.values()))
    scale = ", on a log scale" if domain.log else ""
    return f"{domain.low:g} to {domain.high:g}{scale}"


def _when(decision: Decision) -> str:
    if decision.parent is None:
        return ""
    values = sorted(map(str, decision.when))
    return f"{decision.parent} is {' or '.join(values)}"


def _heading(text: str) -> str:
    return f'<div style="margin-top:.6em"><strong>{_shown(text)}</strong></div>'


def _text(text: str) -> str:
    return f"<div>{_shown(text)}</div>"


def _table(rows: Iterable[Sequence[str]], head: Sequence[str]) -> str:
    top = "".join(f'<th style="{_CELL};{_LINE}">{_shown(one)}</th>' for one in head)
    body = "".join(f"<tr>{_row(row)}</tr>" for row in rows)
    return f'<table style="{_TABLE}"><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>'


def _row(row: Sequence[str]) -> str:
    return "".join(f'<td style="{_CELL}">{_shown(one)}</td>' for one in row)


def _beside(tables: Sequence[str]) -> str:
    return (
        '<div style="display:flex;flex-wrap:wrap;align-items:flex-start;gap:2em">'
        + "".join(tables)
        + "</div>"
    )


def _box(parts: Iterable[str]) -> str:
    return '<div style="overflow-x:auto">' + "".join(parts) + "</div>"


def _shown(text: str) -> str:
    cut = text if len(text) <= _LONG else f"{text[: _LONG - 1]}…"
    return escape(cut)
