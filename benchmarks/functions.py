"""Two functions of numbers alone, as tables for ``raynas bench``.

A search space of widths and learning rates is no table of cells: what is good there has a slope.
These two are what searchers of numbers are usually compared by, turned so that more is better.

    raynas bench --table benchmarks/functions.py:Branin --searcher auto,optuna --seeds 30

What is printed are the functions' values.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from raynas.space import Architecture, Float, Space
from raynas.tables import Recorded, Scores

NOISE = 0.01


class _Function:
    """Answers with a function's value, a little noise on top."""

    lengths = (1,)
    space: ClassVar[Space]

    def height(self, point: Mapping[str, Any]) -> float:
        """Return the value at a point; more is better."""
        raise NotImplementedError

    def answer(self, architecture: Architecture, epochs: int, draw: int) -> Sequence[Recorded]:
        """Return the value with the noise of this draw."""
        noise = NOISE * np.random.default_rng(draw).normal()
        return [Recorded(epochs, {"val_accuracy": self.height(architecture) + noise}, 1.0)]

    def scores(self, architecture: Architecture) -> Scores:
        """Return the value without noise."""
        return Scores(self.height(architecture), self.height(architecture))


class Branin(_Function):
    """Branin's function: three equal hollows in a bent valley; the best value is -0.3979."""

    space = Space({"x": Float(-5, 10), "y": Float(0, 15)})
    best = -0.397887

    def height(self, point: Mapping[str, Any]) -> float:
        """Return minus the function."""
        x, y = point["x"], point["y"]
        valley = y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6
        return -(valley**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10)


class Hartmann(_Function):
    """Hartmann's function of six numbers: four narrow hills; the best value is 3.3224."""

    space = Space({f"x{axis}": Float(0, 1) for axis in range(6)})
    best = 3.32237
    _height = np.array([1.0, 1.2, 3.0, 3.2])
    _narrow = np.array(
        [
            [10, 3, 17, 3.5, 1.7, 8],
            [0.05, 10, 17, 0.1, 8, 14],
            [3, 3.5, 1.7, 10, 17, 8],
            [17, 8, 0.05, 10, 0.1, 14],
        ]
    )
    _top = np.array(
        [
            [0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886],
            [0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991],
            [0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650],
            [0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381],
        ]
    )

    def height(self, point: Mapping[str, Any]) -> float:
        """Return the sum of the hills."""
        x = np.array([point[f"x{axis}"] for axis in range(6)])
        return float(self._height @ np.exp(-(self._narrow * (x - self._top) ** 2).sum(1)))
