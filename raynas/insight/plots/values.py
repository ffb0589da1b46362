"""The values of a decision as places on an axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from raynas.space import Choice, Decision, Value
from raynas.trial import Trial

_FEW: Final = 12  # a whole number with so many values is shown like options
_LONG: Final = 16  # characters of an option that are shown


def options(decision: Decision) -> list[Value] | None:
    """Return the values of a decision in their order; none if it has a scale of numbers."""
    domain = decision.domain
    if isinstance(domain, Choice) or domain.count <= _FEW:
        return [*domain.values()]
    return None


def name(value: Value) -> str:
    """Return a value as a short text."""
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text if len(text) <= _LONG else f"{text[: _LONG - 1]}…"


def spread(count: int) -> Sequence[float]:
    """Return so many places between -0.5 and 0.5, evenly spread and the same every time."""
    golden = (np.sqrt(5) - 1) / 2
    places: list[float] = (np.arange(count) * golden % 1 - 0.5).tolist()
    return places


def number(trial: Trial, decision: Decision) -> float:
    """Return the value of a decision between numbers in a trial."""
    value = trial.architecture[decision.path]
    if isinstance(value, int | float):
        return value
    raise TypeError(f"{decision.path} must be a number, got {value!r}")
