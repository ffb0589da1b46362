"""One number from several readings, or the reason why there is none."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from raynas.errors import ProbeError

_MOST: Final = 0.5  # of the median
_PAUSES_S: Final = (0.1, 0.2, 0.4, 0.0)  # after each try: a busy moment of the machine passes
_DIGITS: Final = 6  # of milliseconds: whole nanoseconds


def settled(read: Callable[[], NDArray[np.float64]]) -> float:
    """Return the median of readings; if they spread too much, they are read again, a little later.

    The spread is the distance between the quartiles, as a share of the median.

    Args:
        read: Returns the readings ``[n]``, in milliseconds.

    Raises:
        ProbeError: They spread by more than half of the median, each time.
    """
    spread = median = 0.0
    for pause in _PAUSES_S:
        low, median, high = map(float, np.quantile(read(), [0.25, 0.5, 0.75]))
        spread = (high - low) / median if median > 0 else np.inf
        if spread <= _MOST:
            return round(median, _DIGITS)
        time.sleep(pause)
    raise ProbeError(
        "readings of the latency must spread by at most half of their median, and the quartiles "
        f"are {100 * spread:.0f} % of the median of {median:.4g} ms apart, after "
        f"{len(_PAUSES_S)} tries: let nothing else run on the device"
    )
