"""How long and how much, as people write it: ``2h``, ``1h30m``, ``val_accuracy=0.98``."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Sequence
from typing import Final, Literal

from raynas.errors import ConfigError
from raynas.execution.limits import Target
from raynas.trial import Objective

_SECONDS: Final = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_PART: Final = r"(?:\d+(?:\.\d*)?|\.\d+)"
_TIME: Final = re.compile("".join(rf"(?:({_PART})\s*{unit}\s*)?" for unit in _SECONDS))


def seconds(time: float | str, what: str = "time") -> float:
    """Return a time in seconds: a number of them, or ``2h``, ``90m``, ``30s``, ``1h30m``, ``1d``.

    Args:
        time: The time.
        what: What messages call it.

    Raises:
        ConfigError: It is none of these, or not more than nothing.
    """
    text = str(time).strip().lower()
    try:
        total = float(text)
    except ValueError:
        parts = _TIME.fullmatch(text)
        amounts = parts.groups(default="0") if parts else ("nan",)
        total = sum(map(operator.mul, map(float, amounts), _SECONDS.values()))
    if not 0 < total < math.inf:
        raise ConfigError(
            f"{what} must be more than 0, in seconds or as in 2h, 90m, 30s or 1h30m, got {time!r}"
        )
    return total


def objective(text: str) -> Objective:
    """Return what is optimised; losses and costs are minimised unless said otherwise.

    Raises:
        ConfigError: The direction is neither ``min`` nor ``max``.
    """
    metric, _, said = text.partition(":")
    usual: Literal["min", "max"] = "max" if "accuracy" in metric else "min"
    match said:
        case "":
            return Objective(metric, usual)
        case "min" | "max":
            return Objective(metric, said)
        case _:
            raise ConfigError(f"an objective ends in :min or :max, got {text!r}")


def target(text: str, objectives: Sequence[Objective]) -> Target:
    """Return the score meant by ``METRIC=VALUE``.

    Args:
        text: The target; the metric may end in ``:min`` or ``:max``.
        objectives: What the run optimises; a target for one of them has its direction.

    Raises:
        ConfigError: It is malformed.
    """
    named, _, number = text.partition("=")
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not named.strip() or not math.isfinite(value):
        raise ConfigError(f"target must be METRIC=VALUE, as in val_accuracy=0.98, got {text!r}")
    directed = {optimised.metric: optimised for optimised in objectives}
    return Target(directed.get(named.strip()) or objective(named.strip()), value)
