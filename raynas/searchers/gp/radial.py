"""Radial kernels: the similarity of two points as a function of their distance."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float64]

Radial = Callable[[_Floats], tuple[_Floats, _Floats]]
"""Maps weighted squared distances to similarities, 1 at distance 0, and to minus their
derivatives by the squared distance."""


def gaussian(squared: _Floats) -> tuple[_Floats, _Floats]:
    """Return ``exp(-d^2)`` and minus its derivative by ``d^2``, which is the same array.

    For one-hot columns, each decision that differs multiplies the similarity by a constant.
    """
    likeness = np.exp(-squared)
    return likeness, likeness


def matern(squared: _Floats) -> tuple[_Floats, _Floats]:
    """Return the Matérn kernel of smoothness 5/2, and minus its derivative by ``d^2``.

    Rasmussen & Williams (2006), equation 4.17, with ``r^2 / l^2 = 2 d^2``: for infinite smoothness
    the kernel would equal ``gaussian``. The loss is not a smooth function of a number; near kinks
    a smoother kernel would give too small variances.
    """
    r = np.sqrt(10.0 * squared)
    fading = np.exp(-r)
    return (1.0 + r + r * r / 3.0) * fading, 5.0 / 3.0 * (1.0 + r) * fading
