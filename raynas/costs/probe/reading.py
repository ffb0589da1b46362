"""One number from several readings, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from raynas.errors import ProbeError

_MOST: Final = 0.5  # of the median
_TRIES: Final = 3
_DIGITS: Final = 6  # of milliseconds: whole nanoseconds


def settled(read: Callable[[], NDArray[np.float64]]) -> float:
    """Return the median of readings; if they spread too much, they are read again, twice.

    The spread is the distance between the quartiles, as a share of the median.

    Args:
        read: Returns the readings ``[n]``, in milliseconds.

    Raises:
        ProbeError: They spread by more than half of the median, each time.
    """
    spread = median = 0.0
    for _ in range(_TRIES):
        low, median, high = map(float, np.quantile(read(), [0.25, 0.5, 0.75]))
        spread = (high - low) / median if median > 0 else np.inf
        if spread <= _MOST:
            return round(median, _DIGITS)
    raise ProbeError(
        "readings of the latency must spread by at most half of their median, and the quartiles "
        f"are {100 * spread:.0f} % of the median of {median:.4g} ms apart, after {_TRIES} tries: "
        "let nothing else run on the device"
    )
