"""Time calls on a device: every call once in each round."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

_WARM_UP: Final = 3  # rounds that do not count


def milliseconds(
    calls: Sequence[Callable[[], Any]], rounds: int, device: torch.device
) -> NDArray[np.float64]:
    """Return ``[rounds, calls]``: the duration of each call in each round.

    In a round, everything is run once, so that a slow moment of the machine does not hit one call
    alone. If one thread of a CPU computes, its own time counts, so that other processes do not
    matter.

    Args:
        calls: What is timed.
        rounds: How often; some rounds before them do not count.
        device: Where the calls compute.
    """
    alone = device.type == "cpu" and torch.get_num_threads() == 1
    clock = time.thread_time if alone else time.perf_counter
    seconds = np.empty((rounds, len(calls)))
    for turn in range(-_WARM_UP, rounds):
        for at, call in enumerate(calls):
            _wait(device)
            begun = clock()
            call()
            _wait(device)
            if turn >= 0:
                seconds[turn, at] = clock() - begun
    return 1e3 * seconds


def _wait(device: torch.device) -> None:
    """Wait until a GPU has done what it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
