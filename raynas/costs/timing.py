"""Time calls on a device: every call once in each round."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

_WARM_UP: Final = 3  # rounds that do not count
_AT_LEAST_S: Final = 5e-4  # of a reading: shorter ones are mostly noise
_REPEATS: Final = 50  # of a call in a reading, at most


def milliseconds(
    calls: Sequence[Callable[[], Any]], rounds: int, device: torch.device
) -> NDArray[np.float64]:
    """Return ``[rounds, calls]``: the duration of each call in each round.

    In a round, everything is read once, so that a slow moment of the machine does not hit one call
    alone. A short call is repeated for half a millisecond, and the mean counts: the time of 30
    microseconds alone is mostly noise. If one thread of a CPU computes, its own time counts, so
    that other processes do not matter.

    Args:
        calls: What is timed.
        rounds: How often; some rounds before them do not count.
        device: Where the calls compute.
    """
    alone = device.type == "cpu" and torch.get_num_threads() == 1
    clock = time.thread_time if alone else time.perf_counter
    seconds, repeats = np.empty((_WARM_UP + rounds, len(calls))), [1] * len(calls)
    for turn in range(_WARM_UP + rounds):
        for at, call in enumerate(calls):
            _wait(device)
            begun = clock()
            for _ in range(repeats[at]):
                call()
                _wait(device)
            seconds[turn, at] = (clock() - begun) / repeats[at]
            if turn < _WARM_UP:
                repeats[at] = _repeats(seconds[turn, at])
    return 1e3 * seconds[_WARM_UP:]


def _repeats(seconds: float) -> int:
    """Return how often a call of this duration is repeated in a reading."""
    return min(_REPEATS, math.ceil(_AT_LEAST_S / max(seconds, _AT_LEAST_S / _REPEATS)))


def _wait(device: torch.device) -> None:
    """Wait until a GPU has done what it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
