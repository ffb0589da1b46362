"""A comparison of runs as text: scores after equal budgets, differences, and what they show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from string import ascii_uppercase
from typing import Any, Final

from raynas.insight.comparison import (
    BUDGETS,
    Arm,
    By,
    Difference,
    Run,
    Score,
    budgets,
    difference,
    mean,
)
from raynas.insight.estimates import WIDTH
from raynas.insight.text.table import aligned
from raynas.insight.wording import duration, metric, on_one_line, plural
from raynas.trial import Objective

MOST: Final = len(ascii_uppercase)  # arms, each of which has a letter
_FEW: Final = 5  # runs, below which an interval is wide


def comparison_lines(arms: Sequence[Arm], notes: Sequence[str] = ()) -> Iterator[str]:
    """Yield a comparison: scores after equal budgets, then each arm against the first.

    Args:
        arms: At least two, at most 26, of the same objective.
        notes: What a reader must know of the runs, in sentences.
    """
    objective, found = _objective(arms), scores(arms)
    letters = dict(zip(ascii_uppercase, arms, strict=False))
    for letter, arm in letters.items():
        yield f"{letter}  {on_one_line(arm.name)}: {plural(len(arm.runs), 'run')}"
    yield from notes
    if not found:
        yield "nothing can be compared: not every run has a trial that ended with a score"
        return
    yield f"\nbest {on_one_line(objective.metric)} so far, and the winner's test"
    yield from _means(objective, letters, found)
    first, *others = letters.items()
    for other in others:
        yield ""
        yield from _against(objective, first, other, found)
    if len(others) > 1:
        yield f"\nEach interval is for one comparison; of {len(others)}, one errs more often."


def comparison_record(arms: Sequence[Arm], notes: Sequence[str]) -> dict[str, Any]:
    """Return a comparison for JSON; differences are scores minus those of the first arm.

    Args:
        arms: As for ``comparison_lines``.
        notes: As for ``comparison_lines``.
    """
    objective = _objective(arms)
    return {
        "objective": objective.metric,
        "direction": objective.direction,
        "notes": list(notes),
        "arms": [_arm_record(arm, arms[0], scores(arms)) for arm in arms],
    }


def _arm_record(arm: Arm, first: Arm, found: Mapping[str, Score]) -> dict[str, Any]:
    gaps = {} if arm is first else {name: difference(arm, first, s) for name, s in found.items()}
    return {
        "name": arm.name,
        "runs": [run.name for run in arm.runs],
        "seeds": [run.seed for run in arm.runs],
        "scores": {name: [score(run) for run in arm.runs] for name, score in found.items()},
        "differences": {name: asdict(gap) for name, gap in gaps.items() if gap is not None},
    }


def scores(arms: Sequence[Arm]) -> Mapping[str, Score]:
    """Return the scores by which arms are compared, by name."""
    found: dict[str, Score] = {}
    for by in BUDGETS:
        for budget in budgets(arms, by):
            score = partial(Run.after, by=by, budget=budget)
            if any(score(run) is not None for arm in arms for run in arm.runs):
                found[f"after {_budget(by, budget)}"] = score
    test = _objective(arms).metric.replace("val_", "test_", 1)
    if found and any(run.tested(test) is not None for arm in arms for run in arm.runs):
        found[test] = partial(Run.tested, metric=test)
    return found


def _objective(arms: Sequence[Arm]) -> Objective:
    return arms[0].runs[0].history.objectives[0]


def _budget(by: By, budget: float) -> str:
    return duration(budget) if by == "seconds" else plural(int(budget), by.removesuffix("s"))


def _means(
    objective: Objective, letters: Mapping[str, Arm], found: Mapping[str, Score]
) -> Iterator[str]:
    cells, has_error = [["", *letters]], False
    for name, score in found.items():
        row = [name]
        for arm in letters.values():
            known = mean(arm, score)
            text = "" if known is None else metric(objective.metric, known.value)
            if known is not None and known.error is not None:
                has_error = True
                text += f" ± {metric(objective.metric, WIDTH * known.error)}"
            if known is not None and known.runs < len(arm.runs):
                text += f" ({known.runs} of {len(arm.runs)})"
            row.append(text)
        cells.append(row)
    yield from aligned(cells, left=cells[0])
    if has_error:
        yield f"(the mean over runs ± {WIDTH} standard errors)"


def _against(
    objective: Objective,
    first: tuple[str, Arm],
    other: tuple[str, Arm],
    found: Mapping[str, Score],
) -> Iterator[str]:
    gaps = {name: difference(other[1], first[1], score) for name, score in found.items()}
    known = {name: gap for name, gap in gaps.items() if gap is not None}
    yield f"{other[0]} against {first[0]}, {_basis(first[1], other[1], [*known.values()])}"
    widest = max(map(len, known), default=0)
    yield from (f"  {name:{widest}}  {_said(objective, gap)}" for name, gap in known.items())


def _basis(first: Arm, other: Arm, gaps: Sequence[Difference]) -> str:
    """Return in words what the differences and their intervals rest on."""
    pairs = max((gap.pairs for gap in gaps), default=0)
    runs = min(len(first.runs), len(other.runs))
    if not any(gap.margin is not None for gap in gaps):
        shared = "of equal seed" if pairs else "of different seeds"
        return (
            f"one run of each, {shared}: the difference may be chance.\n"
            "Run several seeds of each, then compare them as groups."
        )
    few = ", wide with so few" if (pairs or runs) < _FEW else ""
    basis = f"over {plural(pairs, 'pair')}" if pairs else "without pairs"
    return f"{basis} of equal seed; ± is the 95 % interval{few}:"


def _said(objective: Objective, gap: Difference) -> str:
    better = gap.value if objective.direction == "max" else -gap.value
    text = metric(objective.metric, abs(gap.value))
    if gap.margin is not None:
        text += f" ± {metric(objective.metric, gap.margin)}"
    if not better:
        return f"{text}: equal"
    text += " better" if better > 0 else " worse"
    unsure = gap.margin is not None and gap.margin >= abs(gap.value)
    return f"{text}, which may be chance" if unsure else text
