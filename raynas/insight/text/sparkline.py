"""A curve in one line of text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

_BARS: Final = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float], width: int) -> str:
    """Return a curve as bars between its lowest and its highest value.

    Args:
        values: The curve. Values that are not finite are left blank.
        width: The most characters. Of a longer curve, evenly spaced values are shown, the first
            and the last one among them.
    """
    if len(values) > width:
        step = (len(values) - 1) / max(width - 1, 1)
        values = [values[round(at * step)] for at in range(width)]
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return " " * len(values)
    low, high = min(finite), max(finite)
    span = (high - low) or 1.0  # a curve that does not change is flat at the bottom
    return "".join(
        _BARS[round((value - low) / span * (len(_BARS) - 1))] if math.isfinite(value) else " "
        for value in values
    )
