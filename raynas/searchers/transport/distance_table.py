"""A cache of the distances between networks: each pair is computed once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from raynas.searchers.transport.otmann import STRUCTURE, Profile, ProfileBatch, profile
from raynas.space import Architecture
from raynas.space.graph import Graph

_KEPT: Final = 2_000  # networks whose rows are cached: the most recently used ones
_AHEAD: Final = 64  # spare columns of a new row; a full row is copied into a wider one
_WEIGHTLESS: Final = 1e-9  # the least total mass by which a distance is divided

Floats = NDArray[np.float64]


class Network(NamedTuple):
    """An architecture and its identity, which is the key of the cache."""

    identity: str
    architecture: Architecture


@dataclass(frozen=True, slots=True, eq=False)
class Distances:
    """The OTMANN distances from some networks to others.

    Attributes:
        lp: ``[prices, networks, others]``: the cost of transport, for each price in ``STRUCTURE``.
        emd: ``[prices, networks, others]``: ``lp`` divided by the total mass of both networks.
    """

    lp: Floats
    emd: Floats


class DistanceTable:
    """Computes OTMANN distances between networks and caches them."""

    def __init__(self, graph: Callable[[Architecture], Graph]) -> None:
        """Begin with an empty cache.

        Args:
            graph: Returns the graph of an architecture's layers.
        """
        self._graph = graph
        self._columns: dict[str, int] = {}
        self._profiles: list[Profile] = []
        self._rows: OrderedDict[str, tuple[Profile, Floats]] = OrderedDict()
        self._shelf: tuple[list[int], ProfileBatch] | None = None

    def layers(self, network: Network) -> int:
        """Return the number of layers of a network."""
        return len(self._known(network)[0].masses)

    def among(self, networks: Sequence[Network]) -> Distances:
        """Return the distances between these networks."""
        apart = np.zeros((len(STRUCTURE), len(networks), len(networks)))
        for i, network in enumerate(networks):
            if i:
                row = self._row(network, [self._column(other) for other in networks[:i]])
                apart[:, i, :i] = apart[:, :i, i] = row
        return self._distances(apart, networks, networks)

    def between(self, networks: Sequence[Network], others: Sequence[Network]) -> Distances:
        """Return the distances from these networks to the others."""
        columns = [self._column(other) for other in others]
        apart = np.stack([self._row(network, columns) for network in networks], axis=1)
        return self._distances(apart, networks, others)

    def _distances(
        self, apart: Floats, networks: Sequence[Network], others: Sequence[Network]
    ) -> Distances:
        mass, other = (
            np.array([self._known(one)[0].masses.sum() for one in some])
            for some in (networks, others)
        )
        return Distances(apart, apart / np.add.outer(mass, other).clip(_WEIGHTLESS))

    def _row(self, network: Network, columns: Sequence[int]) -> Floats:
        """Return ``[prices, columns]``: the distances of one network; compute missing ones."""
        own, row = self._known(network)
        width = len(self._profiles)
        if row.shape[1] < width:
            wider = np.full((len(STRUCTURE), width + _AHEAD), np.nan)
            wider[:, : row.shape[1]] = row
            self._rows[network.identity] = own, wider
            row = wider
        missing = [column for column in columns if np.isnan(row[0, column])]
        if missing:
            row[:, missing] = self._batched(missing).distances(own)
        return row[:, columns]

    def _known(self, network: Network) -> tuple[Profile, Floats]:
        """Return the profile of a network and its row of distances; NaN is not computed yet."""
        if network.identity not in self._rows:
            none = np.zeros((len(STRUCTURE), 0))
            self._rows[network.identity] = profile(self._graph(network.architecture)), none
            if len(self._rows) > _KEPT:
                self._rows.popitem(last=False)
        self._rows.move_to_end(network.identity)
        return self._rows[network.identity]

    def _column(self, network: Network) -> int:
        if network.identity not in self._columns:
            self._columns[network.identity] = len(self._profiles)
            self._profiles.append(self._known(network)[0])
        return self._columns[network.identity]

    def _batched(self, columns: list[int]) -> ProfileBatch:
        """Return the batch of these columns; consecutive calls mostly need the same batch."""
        if self._shelf is None or self._shelf[0] != columns:
            self._shelf = columns, ProfileBatch([self._profiles[column] for column in columns])
        return self._shelf[1]
