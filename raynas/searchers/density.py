"""Kernel densities over a space: how likely an architecture is, and draws of likely ones.

The kernel is a product over decisions: for options that of Aitchison & Aitken (1976), for numbers
a Gaussian truncated to their range.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp, ndtr, ndtri

from raynas.space import Architecture, Choice, Decision, Domain, Space, Value

Floats = NDArray[np.float64]

_LEAST: Final = 1e-3  # bandwidth: where all observations agree, there would be none
_KEPT: Final = 10_000  # rows


class Axes:
    """A space's decisions as columns: an option's index, or a number's place in [0, 1].

    Decisions that allow a single value have no column; NaN stands where one is inactive.
    """

    def __init__(self, space: Space) -> None:
        """Begin without rows."""
        self.space = space
        self.open = tuple(one for one in space.decisions.values() if one.domain.count > 1)
        self.column = {decision.path: i for i, decision in enumerate(self.open)}
        self._codes = [_indices(decision.domain) for decision in self.open]
        self._row = lru_cache(_KEPT)(self._coded)

    def rows(self, architectures: Iterable[Architecture]) -> Floats:
        """Return ``[architectures, decisions]``."""
        rows = [self._row(architecture) for architecture in architectures]
        return np.array(rows).reshape(-1, len(self.open))

    def _coded(self, architecture: Architecture) -> list[float]:
        return [
            _code(decision, indices, architecture) if decision.path in architecture else math.nan
            for decision, indices in zip(self.open, self._codes, strict=True)
        ]


@dataclass(frozen=True, slots=True, eq=False)
class Density:
    """A mixture of one kernel around each of some architectures.

    What is inactive in one of them follows the prior in its kernel. So every kernel is a
    distribution over the whole space, conditional decisions included, and sums to one.

    Attributes:
        axes: What the columns mean.
        rows: ``[observations, decisions]``, at least one observation.
        widths: ``[decisions]``: a Gaussian's deviation, or how likely another option is.
    """

    axes: Axes
    rows: Floats
    widths: Floats

    @classmethod
    def around(cls, axes: Axes, architectures: Iterable[Architecture]) -> Density:
        """Return the density of these, its bandwidths by the normal reference rule."""
        rows = axes.rows(architectures)
        scale = 1.06 * len(rows) ** (-1 / (4 + len(axes.open)))
        columns = zip(axes.open, rows.T, strict=True)
        spreads = [_spread(decision, seen[~np.isnan(seen)]) for decision, seen in columns]
        return cls(axes, rows, _within(axes, scale * np.array(spreads)))

    def wider(self, factor: float) -> Density:
        """Return the density with all bandwidths multiplied."""
        return Density(self.axes, self.rows, _within(self.axes, factor * self.widths))

    def log(self, points: Floats) -> Floats:
        """Return the logarithm of the density of ``points`` ``[points, decisions]``."""
        total = np.full((len(points), len(self.rows)), -math.log(len(self.rows)))
        columns = zip(self.axes.open, points.T, self.rows.T, self.widths, strict=True)
        for decision, column, seen, width in columns:
            here = column[:, None]
            kernel, prior = _logs(decision.domain, here, seen, width)
            total += np.where(np.isnan(here), 0.0, np.where(np.isnan(seen), prior, kernel))
        found: Floats = logsumexp(total, axis=1)
        return found

    def draw(self, rng: np.random.Generator) -> Architecture:
        """Return an architecture from the kernel around a random observation."""
        row = self.rows[rng.integers(len(self.rows))]

        def decide(decision: Decision) -> Value:
            column = self.axes.column.get(decision.path)
            if column is None or math.isnan(row[column]):
                return decision.domain.sample(rng)
            return _moved(decision.domain, row[column], self.widths[column], rng)

        return self.axes.space.walk(decide)


def _indices(domain: Domain) -> dict[Value, int]:
    return {v: i for i, v in enumerate(domain.values())} if isinstance(domain, Choice) else {}


def _code(decision: Decision, indices: dict[Value, int], architecture: Architecture) -> float:
    value, domain = architecture[decision.path], decision.domain
    return indices[value] if isinstance(domain, Choice) else domain.unit(value)


def _spread(decision: Decision, seen: Floats) -> float:
    """Return the deviation of what was seen; for options, that of the indicators.

    It does not depend on the order of the options, and equals that of the indices of two.
    """
    if not len(seen):
        return 0.0
    if not isinstance(decision.domain, Choice):
        return float(seen.std())
    shares = np.bincount(seen.astype(int)) / len(seen)
    return math.sqrt(max(0.0, 1 - float(shares @ shares)) / 2)


def _within(axes: Axes, widths: Floats) -> Floats:
    """Bound bandwidths; at the upper bound of a choice's, all options are equally likely."""
    most = [1 - 1 / d.domain.count if isinstance(d.domain, Choice) else np.inf for d in axes.open]
    return np.clip(widths, _LEAST, np.array(most))


def _logs(domain: Domain, here: Floats, seen: Floats, width: float) -> tuple[Floats, Floats]:
    """Return the logarithms of the kernel ``[points, observations]`` and of the prior."""
    if isinstance(domain, Choice):
        weights = np.array(domain.weights or [1.0] * domain.count)
        prior = np.log(weights / weights.sum())[np.nan_to_num(here).astype(int)]
        other = math.log(width / (domain.count - 1))
        return np.where(here == seen, math.log1p(-width), other), prior
    inside = ndtr((1 - seen) / width) - ndtr(-seen / width)
    scale = np.log(inside * (width * math.sqrt(2 * math.pi)))
    return -0.5 * ((here - seen) / width) ** 2 - scale, np.zeros_like(here)


def _moved(domain: Domain, code: float, width: float, rng: np.random.Generator) -> Value:
    """Draw a value from the kernel around one."""
    if isinstance(domain, Choice):
        options = domain.values()
        away = rng.integers(1, len(options)) if rng.random() < width else 0
        return options[(int(code) + int(away)) % len(options)]
    share = rng.uniform(ndtr(-code / width), ndtr((1 - code) / width))
    return domain.at(code + width * float(ndtri(share)))
