"""The page of a report: the sections in their order, and the template that shows them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from datetime import datetime
from importlib.resources import files
from typing import Final

from raynas.insight.plain_words import visible
from raynas.insight.report import accounts, charts, repeat, story
from raynas.insight.report.ranking import ranking
from raynas.insight.report.run import Run
from raynas.insight.report.section import Section, Sentence

_PARTS: Final = ("space", "task", "searcher", "scheduler", "method")


def page(run: Run, written: datetime, version: str) -> str:
    """Return the report of a run as one HTML page that loads nothing from a network.

    Args:
        run: The run.
        written: The time of the report, in UTC.
        version: The version of raynas that writes it.
    """
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415 - slow to load

    environment = Environment(autoescape=True, finalize=_visible, undefined=StrictUndefined)
    environment.filters["digest"] = _digest
    source = files("raynas.insight.report").joinpath("template.html").read_text(encoding="utf-8")
    return environment.from_string(source).render(
        run=run,
        parts=[(name, _named(run.settings[name])) for name in _PARTS if run.settings.get(name)],
        state=story.state(run.history),
        sections=[*sections(run)],
        written=f"{written:%Y-%m-%d %H:%M} UTC",
        version=version,
    )


def sections(run: Run) -> Iterator[Section]:
    """Yield the sections of a report; those that have nothing to show are left out."""
    yield story.verdict(run)
    if run.history.trials:
        yield _leaderboard(run)
        yield from story.charted(run)
        yield _times(run)
        if found := _failures(run):
            yield found
    if run.supernets is not None:
        yield story.supernets(run.supernets)
    yield repeat.section(run)


def _leaderboard(run: Run) -> Section:
    said = (
        "Every trial of the run, the best first. Trials with more epochs come first, because a "
        "score after three epochs does not beat a score after thirty."
    )
    return Section("Leaderboard", [Sentence(said)], ranking=ranking(run.history))


def _times(run: Run) -> Section:
    tables = accounts.times(run.history, run.paused_trials)
    return Section("Time", charts=[*charts.times(run)], tables=tables)


def _failures(run: Run) -> Section | None:
    tables = [*filter(None, (accounts.failures(run.history), accounts.retries(run.history)))]
    if not tables:
        return None
    said = "A failure is never counted as a bad score: these trials have no rank."
    return Section("Failures", [Sentence(said)], tables=tables)


def _visible(value: object) -> object:
    """Show what is hidden in text; markup, which is the page's own, is not changed."""
    return visible(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _digest(script: str) -> str:
    """Return the digest by which the page permits its own script, and no other."""
    return base64.b64encode(hashlib.sha256(str(script).encode()).digest()).decode()


def _named(setting: object) -> str:
    if isinstance(setting, dict):
        return str(setting.get("object", setting))
    return ", ".join(map(str, setting)) if isinstance(setting, list) else str(setting)
