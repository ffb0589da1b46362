"""How likeness falls with distance."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float64]

Radial = Callable[[_Floats], tuple[_Floats, _Floats]]
"""Of distances, squared and weighted, the likeness (1 at none) and how fast it falls with them."""


def gaussian(squared: _Floats) -> tuple[_Floats, _Floats]:
    """Return ``exp(-d^2)`` and minus its derivative by ``d^2``, which is the same.

    On one-hot columns each option that differs takes a constant factor away.
    """
    likeness = np.exp(-squared)
    return likeness, likeness


def matern(squared: _Floats) -> tuple[_Floats, _Floats]:
    """Return Matern's kernel of smoothness 5/2, and minus its derivative by ``d^2``.

    Rasmussen & Williams (2006), equation 4.17; ``2 d^2`` stands for ``r^2 / l^2``, so that large
    smoothness would give ``gaussian``. What a number does has kinks, about which a smoother kernel
    is too sure.
    """
    r = np.sqrt(10.0 * squared)
    fading = np.exp(-r)
    return (1.0 + r + r * r / 3.0) * fading, 5.0 / 3.0 * (1.0 + r) * fading
