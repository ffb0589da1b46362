"""Who dominates whom when there are several objectives."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def dominance(losses: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return ``[n, n]``: whether the row is nowhere worse than the column and somewhere better.

    Args:
        losses: ``[n, objectives]``, to be minimised.
    """
    no_worse: NDArray[np.bool_] = np.all(losses[:, None] <= losses, axis=2)
    return no_worse & ~no_worse.T


def fronts(dominates: NDArray[np.bool_]) -> NDArray[np.int_]:
    """Return the front each is in: 0 for those that none dominates, and so on.

    Args:
        dominates: ``[n, n]``, whether the row dominates the column; without a circle.
    """
    front = np.full(len(dominates), -1)
    number = 0
    while (left := front < 0).any():
        front[left & ~dominates[left].any(axis=0)] = number
        number += 1
    return front
