"""The rows of architectures, with the ranks of a user's features in the last columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from typing import Any, Final

import numpy as np

from raynas.rng import fit_rng
from raynas.searchers.gp.layout import Floats, Layout, layout
from raynas.space import Architecture, Space

Features = Callable[[Architecture], Sequence[float]]
"""Returns numbers about an architecture that need no training, such as zero-cost proxies."""

_KEPT: Final = 10_000  # rows


class Rows:
    """Computes the rows of architectures and caches them.

    The model uses the rank of a feature and not its value. The rank is the fraction of a pool of
    random architectures whose feature is lower. NaN is the lowest value. Every run has the same
    pool.
    """

    def __init__(self, space: Space, features: Features | None, pool: int) -> None:
        """Begin without rows; the first row computes the features of the pool.

        Args:
            space: The search space.
            features: Returns a user's features of an architecture; none for no features.
            pool: The number of random architectures in the pool.
        """
        self._space = space
        self._features = features
        self._size = pool
        self.of = lru_cache(_KEPT)(self._row)
        self.places = lru_cache(_KEPT)(self._places)

    def __reduce__(self) -> Any:
        """Pickle without the cached rows; they are computed again."""
        return Rows, (self._space, self._features, self._size)

    @cached_property
    def layout(self) -> Layout:
        """The meaning of the columns."""
        return layout(self._space, self._pool.shape[1])

    @cached_property
    def _pool(self) -> Floats:
        """``[pool, features]``: the values of each feature over the pool, in ascending order."""
        if self._features is None:
            return np.zeros((0, 0))
        rng = fit_rng(0)
        networks = {self._space.sample(rng): None for _ in range(self._size)}
        return np.sort([self._values(network) for network in networks], axis=0)

    def _values(self, network: Architecture) -> Floats:
        given = () if self._features is None else self._features(network)
        values: Floats = np.array(given, np.float64)
        values[np.isnan(values)] = -np.inf
        return values

    def _places(self, network: Architecture) -> Floats:
        """Return ``[features]``: the ranks, 0 to 1; a higher value has a higher rank."""
        columns = zip(self._pool.T, self._values(network), strict=True)
        below = [pool.searchsorted(value, side) for pool, value in columns for side in _SIDES]
        places: Floats = np.reshape(below, (-1, 2)).mean(1) / max(1, len(self._pool))
        return places

    def _row(self, network: Architecture) -> Floats:
        return np.concatenate([self.layout.row(network), self.places(network)])


_SIDES: Final = ("left", "right")
