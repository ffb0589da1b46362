"""How to repeat a run: the command, the versions, the seed, the data, and all settings."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from raynas.insight.report import accounts
from raynas.insight.report.run import Run
from raynas.insight.report.section import Section, Sentence
from raynas.insight.report.table import Table, table

_SAME: Final = (
    "With one trial at a time, the same seed and the same versions give the same run. With "
    "several trials at once, the order in which they end differs, and so does the run."
)


def section(run: Run) -> Section:
    """Return the section that says how to repeat the run."""
    described = run.description
    sentences = [Sentence(one) for one in (*run.repeat.notes, _SAME)]
    if began := described.get("folder"):
        sentences.append(Sentence(f"The run was begun in the folder {began}.", "quiet"))
    tables = [_versions(described), _data(described), accounts.sessions(run.history)]
    file = [("settings.json, which the command reads", run.repeat.file)] if run.repeat.file else []
    settings = json.dumps(dict(run.settings), indent=2, ensure_ascii=False)
    return Section(
        "How to repeat it",
        sentences,
        command=run.repeat.command,
        tables=[*filter(None, tables)],
        folded=[*file, ("all settings", settings), *_code(described)],
    )


def _versions(described: Mapping[str, Any]) -> Table:
    versions = {"raynas": described.get("raynas", "not recorded"), **described.get("versions", {})}
    rows = [[name, str(version)] for name, version in versions.items()]
    seed = described.get("experiment", {}).get("seed", "not recorded")
    return table("versions and seed", ["what", "version"], [*rows, ["seed", str(seed)]])


def _data(described: Mapping[str, Any]) -> Table | None:
    data = described.get("data")
    if not isinstance(data, Mapping) or not data:
        return None
    rows = [[str(name), _text(value)] for name, value in data.items()]
    return table("data", ["what", "value"], rows)


def _code(described: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if code := described.get("code"):
        yield "digests of your code", json.dumps(code, indent=2, ensure_ascii=False)


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_text(one)}" for name, one in value.items())
    return ", ".join(map(_text, value)) if isinstance(value, list) else str(value)
