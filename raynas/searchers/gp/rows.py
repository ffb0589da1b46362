"""Rows of a space's architectures, with the places of a user's own features at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from typing import Any, Final

import numpy as np

from raynas.rng import fit_rng
from raynas.searchers.gp.layout import Floats, Layout, layout
from raynas.space import Architecture, Space

Features = Callable[[Architecture], Sequence[float]]
"""Numbers that say something about an architecture without training it, such as proxies."""

_KEPT: Final = 10_000  # rows


class Rows:
    """Makes rows, and keeps them.

    Only the place of a feature counts: the share of a pool of random architectures in which it
    has less of it. What is no number has the least. The pool is the same for every run.
    """

    def __init__(self, space: Space, features: Features | None, pool: int) -> None:
        """Begin without rows; features are first asked for with the first row."""
        self._space = space
        self._features = features
        self._size = pool
        self.of = lru_cache(_KEPT)(self._row)
        self.places = lru_cache(_KEPT)(self._places)

    def __reduce__(self) -> Any:
        """Travel without rows, which cannot be pickled and are made anew."""
        return Rows, (self._space, self._features, self._size)

    @cached_property
    def layout(self) -> Layout:
        """What the columns mean."""
        return layout(self._space, self._pool.shape[1])

    @cached_property
    def _pool(self) -> Floats:
        """Each feature's values over the pool, ascending: ``[pool, features]``."""
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
        """Return ``[features]``, each from 0 to 1; more of a feature has a higher place."""
        columns = zip(self._pool.T, self._values(network), strict=True)
        below = [pool.searchsorted(value, side) for pool, value in columns for side in _SIDES]
        places: Floats = np.reshape(below, (-1, 2)).mean(1) / max(1, len(self._pool))
        return places

    def _row(self, network: Architecture) -> Floats:
        return np.concatenate([self.layout.row(network), self.places(network)])


_SIDES: Final = ("left", "right")
