"""A clock that does not jump when the machine's clock is set."""

from __future__ import annotations

import time
from collections.abc import Callable


def steady_clock() -> Callable[[], float]:
    """Return a clock that tells the seconds since 1970, as the machine's clock does now.

    Later changes of the machine's clock do not change it, so limits of time stay right. The time
    in which the machine sleeps does not count.
    """
    ahead = time.time() - time.monotonic()
    return lambda: ahead + time.monotonic()
