"""Kernel density estimates over a space: the density of architectures, and draws from it.

The kernel is a product over decisions: for choices the kernel of Aitchison & Aitken (1976), for
numbers a Gaussian truncated to their range.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from raynas.space import Architecture, Choice, Decision, Domain, Space, Value

Floats = NDArray[np.float64]

_LEAST: Final = 1e-3  # the least bandwidth, because equal observations would give zero
_KEPT: Final = 10_000  # rows


class Axes:
    """A space's decisions as columns: an option's index, or a number's place in [0, 1].

    Decisions with a single value have no column; an inactive decision is NaN.
    """

    def __init__(self, space: Space) -> None:
        """Begin without rows."""
        self.space = space
        self.open = tuple(one for one in space.decisions.values() if one.domain.count > 1)
        self.column = {decision.path: i for i, decision in enumerate(self.open)}
        self._codes = [_indices(decision.domain) for decision in self.open]
        self._row = lru_cache(_KEPT)(self._coded)

    def __reduce__(self) -> Any:
        """Pickle without the cached rows; they are computed again."""
        return Axes, (self.space,)

    def rows(self, architectures: Iterable[Architecture]) -> Floats:
        """Return ``[architectures, decisions]``."""
        rows = [self._row(architecture) for architecture in architectures]
        return np.concatenate(rows).reshape(len(rows), len(self.open))

    def architecture(self, row: Floats, rng: np.random.Generator) -> Architecture:
        """Return the architecture of a row; missing values are drawn from the prior."""

        def decide(decision: Decision) -> Value:
            column = self.column.get(decision.path)
            if column is None or math.isnan(row[column]):
                return decision.domain.sample(rng)
            if isinstance(decision.domain, Choice):
                return decision.domain.values()[int(row[column])]
            return decision.domain.at(row[column])

        return self.space.walk(decide)

    def _coded(self, architecture: Architecture) -> Floats:
        return np.array(
            [
                _code(decision, indices, architecture)
                if decision.path in architecture
                else math.nan
                for decision, indices in zip(self.open, self._codes, strict=True)
            ]
        )


@dataclass(frozen=True, slots=True, eq=False)
class Density:
    """A mixture of one kernel around each of some architectures.

    For a decision that is inactive in an architecture, its kernel uses the prior. So every kernel
    is a distribution over the whole space, including conditional decisions, and sums to one.

    Attributes:
        axes: The meaning of the columns.
        rows: ``[observations, decisions]``, at least one observation.
        widths: ``[decisions]``: a Gaussian's deviation, or how likely another option is.
    """

    axes: Axes
    rows: Floats
    widths: Floats

    @classmethod
    def around(cls, axes: Axes, architectures: Iterable[Architecture]) -> Density:
        """Return the density of these rows, with bandwidths by the normal reference rule."""
        rows = axes.rows(architectures)
        scale = 1.06 * len(rows) ** (-1 / (4 + len(axes.open)))
        columns = zip(axes.open, rows.T, strict=True)
        spreads = [_spread(decision.domain, seen[~np.isnan(seen)]) for decision, seen in columns]
        return cls(axes, rows, _bounded(axes, scale * np.array(spreads)))

    def wider(self, factor: float) -> Density:
        """Return the density with all bandwidths multiplied."""
        return Density(self.axes, self.rows, _bounded(self.axes, factor * self.widths))

    def log(self, points: Floats) -> Floats:
        """Return the logarithm of the density of ``points`` ``[points, decisions]``.

        For a number it is the density of its position in [0, 1].
        """
        total = np.full((len(points), len(self.rows)), -math.log(len(self.rows)))
        columns = zip(self.axes.open, points.T, self.rows.T, self.widths, strict=True)
        for decision, here, seen, width in columns:
            total += _kernel(decision.domain, here, seen, width)
        most = total.max(1)
        found: Floats = most + np.log(np.exp(total - most[:, None]).sum(1))
        return found

    def draw(self, count: int, rng: np.random.Generator) -> list[Architecture]:
        """Return architectures, each from the kernel around a random observation."""
        rows = self.rows[rng.integers(len(self.rows), size=count)]
        columns = zip(self.axes.open, rows.T, self.widths, strict=True)
        moved = [_moved(decision.domain, seen, width, rng) for decision, seen, width in columns]
        codes = np.reshape(moved, rows.T.shape).T
        return [self.axes.architecture(row, rng) for row in codes]


def _indices(domain: Domain) -> dict[Value, int]:
    return {v: i for i, v in enumerate(domain.values())} if isinstance(domain, Choice) else {}


def _code(decision: Decision, indices: dict[Value, int], architecture: Architecture) -> float:
    value, domain = architecture[decision.path], decision.domain
    return indices[value] if isinstance(domain, Choice) else domain.unit(value)


def _spread(domain: Domain, seen: Floats) -> float:
    """Return the deviation of what was seen; for options, that of the indicators.

    It does not depend on the order of the options, and equals that of the indices of two.
    """
    if not len(seen):
        return 0.0
    if not isinstance(domain, Choice):
        return float(seen.std())
    shares = np.bincount(seen.astype(int)) / len(seen)
    return math.sqrt(max(0.0, 1 - float(shares @ shares)) / 2)


def _bounded(axes: Axes, widths: Floats) -> Floats:
    """Bound bandwidths; at the upper bound for a choice, all options are equally likely."""
    most = [1 - 1 / d.domain.count if isinstance(d.domain, Choice) else np.inf for d in axes.open]
    return np.clip(widths, _LEAST, np.array(most))


def _kernel(domain: Domain, here: Floats, seen: Floats, width: float) -> Floats:
    if isinstance(domain, Choice):
        return _options(domain, here, seen, width)
    return _numbers(here, seen, width)


def _options(domain: Choice, here: Floats, seen: Floats, width: float) -> Floats:
    """Return the logarithm of Aitchison & Aitken's kernel, ``[points, observations]``.

    In the table, the last row is for observations without the decision, which use the prior, and
    the last column is for points without the decision, which contribute nothing.
    """
    count = domain.count
    table = np.full((count + 1, count + 1), math.log(width / (count - 1)))
    np.fill_diagonal(table, math.log1p(-width))
    weights = np.array(domain.weights or [1.0] * count)
    table[-1, :-1] = np.log(weights / weights.sum())
    table[:, -1] = 0.0
    at_points, at_rows = (np.nan_to_num(codes, nan=count).astype(int) for codes in (here, seen))
    found: Floats = table.T[:, at_rows][at_points]
    return found


def _numbers(here: Floats, seen: Floats, width: float) -> Floats:
    """Return the logarithm of the truncated Gaussian, ``[points, observations]``.

    Observations without the decision have a uniform prior on [0, 1], of density one.
    """
    known, active = ~np.isnan(seen), ~np.isnan(here)
    here, seen = np.nan_to_num(here), np.nan_to_num(seen)
    inside = ndtr((1 - seen) / width) - ndtr(-seen / width)
    peaks = -np.log(inside * (width * math.sqrt(2 * math.pi)))
    found = np.subtract.outer(here, seen) / width
    found = np.where(known, peaks - 0.5 * found * found, 0.0)
    return found * active[:, None]


def _moved(domain: Domain, seen: Floats, width: float, rng: np.random.Generator) -> Floats:
    """Draw a code from the kernel around each; where there is none, there will be none."""
    if isinstance(domain, Choice):
        away = rng.integers(1, domain.count, size=len(seen))
        away[rng.random(len(seen)) >= width] = 0
        return (seen + away) % domain.count
    low, high = ndtr(-seen / width), ndtr((1 - seen) / width)
    moved: Floats = seen + width * ndtri(low + (high - low) * rng.random(len(seen)))
    return moved
