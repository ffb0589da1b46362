"""Read times, objectives, constraints and targets as users write them: ``2h``, ``params<=1M``."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Sequence
from typing import Final, Literal

from raynas.errors import ConfigError
from raynas.execution.limits import Target
from raynas.trial import Constraint, Objective

_SECONDS: Final = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_PART: Final = r"(?:\d+(?:\.\d*)?|\.\d+)"
_TIME: Final = re.compile("".join(rf"(?:({_PART})\s*{unit}\s*)?" for unit in _SECONDS))

_CONSTRAINT: Final = re.compile(r"\s*([^<>=\s]+)\s*(<=|>=)\s*([^<>=\s]+)\s*")
_UNITS: Final = {"k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "%": 1e-2}

_HIGHER: Final = frozenset(
    """accuracy auc auroc bleu dice f1 iou map miou precision psnr r2 recall return reward
    rouge score specificity""".split()  # noqa: SIM905 - one line for each word is hard to read
)
"""Words in the names of metrics that are better when they are higher."""


def seconds(time: float | str, what: str = "time", *, zero: bool = False) -> float:
    """Return a time in seconds.

    Args:
        time: A number of seconds, or a text such as ``2h``, ``90m``, ``30s``, ``1h30m`` or ``1d``.
        what: The name of the time in messages.
        zero: Whether 0 is allowed.

    Raises:
        ConfigError: The time has another form, is negative, or is 0 and 0 is not allowed.
    """
    text = str(time).strip().lower()
    try:
        total = float(text)
    except ValueError:
        parts = _TIME.fullmatch(text) if text else None
        amounts = parts.groups(default="0") if parts else ("nan",)
        total = sum(map(operator.mul, map(float, amounts), _SECONDS.values()))
    if not 0 <= total < math.inf or (total == 0 and not zero):
        least = "at least" if zero else "more than"
        raise ConfigError(
            f"{what} must be {least} 0, in seconds or as in 2h, 90m, 30s or 1h30m, got {time!r}"
        )
    return total


def objective(text: str) -> Objective:
    """Return the objective that a text such as ``params`` or ``params:max`` describes.

    Without a direction, a metric is maximised if its name has a word of ``_HIGHER``, such as
    ``val_accuracy`` or ``macro_f1``, and minimised otherwise.

    Raises:
        ConfigError: The direction is neither ``min`` nor ``max``.
    """
    metric, _, said = text.partition(":")
    words = metric.replace("-", "_").split("_")
    usual: Literal["min", "max"] = "max" if _HIGHER.intersection(words) else "min"
    match said:
        case "":
            return Objective(metric, usual)
        case "min" | "max":
            return Objective(metric, said)
        case _:
            raise ConfigError(f"an objective ends in :min or :max, got {text!r}")


def target(text: str, objectives: Sequence[Objective]) -> Target:
    """Return the target that ``METRIC=VALUE`` describes.

    Args:
        text: The text; the metric may end in ``:min`` or ``:max``, and the number as in a
            constraint.
        objectives: The objectives of the run; a target for one of them has the same direction.

    Raises:
        ConfigError: The text has another form.
    """
    named, _, number = text.partition("=")
    value = _amount(number)
    if not named.strip() or not math.isfinite(value):
        raise ConfigError(f"target must be METRIC=VALUE, as in val_accuracy=0.98, got {text!r}")
    directed = {optimised.metric: optimised for optimised in objectives}
    return Target(directed.get(named.strip()) or objective(named.strip()), value)


def constraint(text: str) -> Constraint:
    """Return the constraint that a text such as ``params<=1M`` or ``val_recall>=90%`` describes.

    A number may end in ``k``, ``M``, ``G`` or ``%``.

    Raises:
        ConfigError: The text has another form.
    """
    parts = _CONSTRAINT.fullmatch(text)
    limit = math.nan if parts is None else _amount(parts[3])
    if parts is None or not math.isfinite(limit):
        raise ConfigError(
            "a constraint must be METRIC<=VALUE or METRIC>=VALUE, as in params<=1M, "
            f"latency_ms<=5 or val_recall>=0.9, got {text!r}"
        )
    return Constraint(parts[1], limit, "<=" if parts[2] == "<=" else ">=")


def _amount(text: str) -> float:
    """Return a number that may end in a unit; NaN for anything else."""
    number = text.strip()
    scale = _UNITS.get(number[-1:], 1.0)
    try:
        return float(number[:-1] if scale != 1.0 else number) * scale
    except ValueError:
        return math.nan
