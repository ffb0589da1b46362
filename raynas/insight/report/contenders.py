"""The best architectures of a run side by side, with the decisions in which they differ."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Final

from raynas.insight.outcome_counts import ranked, ranking_key
from raynas.insight.report.table import Cell, Row, Table
from raynas.insight.text.drawing import draw
from raynas.insight.wording import metric
from raynas.space import Architecture, Value
from raynas.space.graph import Graph
from raynas.trial import History, Trial

_ABSENT: Final = "not active"


def contenders(history: History, count: int = 4) -> list[Trial]:
    """Return the winner and the best trials of other networks, at most ``count``."""
    trials = sorted(filter(ranked, history.trials.values()), key=ranking_key)
    if history.winner:
        trials.insert(0, history.trials[history.winner.number])
    different = {trial.identity: trial for trial in reversed(trials)}
    return sorted(different.values(), key=trials.index)[:count]


def called(history: History, trial: Trial) -> str:
    """Return the heading of a trial: its number, its score, and whether it is the winner."""
    name = history.objectives[0].metric
    won = history.winner is not None and history.winner.number == trial.number
    score = f"{name} {metric(name, trial.metrics[name])}" if name in trial.metrics else ""
    return ", ".join(filter(None, (f"trial {trial.number}", score, "winner" if won else "")))


def in_one_line(architecture: Architecture) -> str:
    """Return the decisions of an architecture in one line."""
    lines = (line.strip() for line in draw(architecture).splitlines())
    return " · ".join(lines).replace(", · ", ", ")


def differences(first: Graph, other: Graph) -> list[int]:
    """Return the positions of the layers of ``other`` that ``first`` does not have there.

    Graphs of the same length, such as cells, are compared layer by layer; in others, layers that
    were added do not make the layers after them different.
    """
    mine, others = (
        [(one.kind, one.variant, one.note) for one in graph.layers] for graph in (first, other)
    )
    if len(mine) == len(others):
        return [at for at, (a, b) in enumerate(zip(mine, others, strict=True)) if a != b]
    steps = SequenceMatcher(None, mine, others, autojunk=False).get_opcodes()
    return [at for tag, _, _, low, high in steps if tag != "equal" for at in range(low, high)]


def compared(trials: Sequence[Trial]) -> tuple[Table, int]:
    """Return the decisions in which trials differ, and in how many decisions they are equal.

    A cell that differs from the first trial is marked.
    """
    decided = [trial.architecture for trial in trials]
    paths = list(dict.fromkeys(path for one in decided for path in one))
    rows = [_row(path, decided) for path in paths]
    different = [row for row in rows if row.marked]
    heads = ["decision", *(f"trial {trial.number}" for trial in trials)]
    shown = [Row(row.cells) for row in different]
    return Table("decisions that differ", heads, shown), len(rows) - len(different)


def _row(path: str, decided: Sequence[Architecture]) -> Row:
    texts = [_text(one[path]) if path in one else _ABSENT for one in decided]
    cells = [Cell(text, marked=text != texts[0]) for text in texts]
    return Row([Cell(path), *cells], marked=len(set(texts)) > 1)


def _text(value: Value) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
