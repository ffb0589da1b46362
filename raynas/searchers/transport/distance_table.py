"""How far networks are apart, each pair found once and kept as a memo."""

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

_KEPT: Final = 2_000  # networks whose distances to others are kept, the last that were asked for
_AHEAD: Final = 64  # columns for which a row has room before it is copied
_WEIGHTLESS: Final = 1e-9  # mass of two networks below which they are not told apart

Floats = NDArray[np.float64]


class Network(NamedTuple):
    """An architecture and its identity, by which it is known."""

    identity: str
    architecture: Architecture


@dataclass(frozen=True, slots=True, eq=False)
class Distances:
    """How far some networks are from others.

    Attributes:
        lp: ``[prices, networks, others]`` the cost of transport, for every price of structure.
        emd: The same, divided by the mass of both networks.
    """

    lp: Floats
    emd: Floats


class DistanceTable:
    """OTMANN distances from some networks to others."""

    def __init__(self, graph: Callable[[Architecture], Graph]) -> None:
        """Begin without any.

        Args:
            graph: Gives the layers of an architecture.
        """
        self._graph = graph
        self._columns: dict[str, int] = {}
        self._profiles: list[Profile] = []
        self._rows: OrderedDict[str, tuple[Profile, Floats]] = OrderedDict()
        self._shelf: tuple[list[int], ProfileBatch] | None = None

    def layers(self, network: Network) -> int:
        """Return how many layers a network has."""
        return len(self._known(network)[0].masses)

    def among(self, networks: Sequence[Network]) -> Distances:
        """Return how far each of these networks is from each."""
        apart = np.zeros((len(STRUCTURE), len(networks), len(networks)))
        for i, network in enumerate(networks):
            if i:
                row = self._row(network, [self._column(other) for other in networks[:i]])
                apart[:, i, :i] = apart[:, :i, i] = row
        return self._distances(apart, networks, networks)

    def between(self, networks: Sequence[Network], others: Sequence[Network]) -> Distances:
        """Return how far each of these networks is from each of the others."""
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
        """Return ``[prices, columns]`` of one network, after finding out what is missing."""
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
        """Return a network's profile and row."""
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
        """Return a batch of these columns: mostly that of the network before."""
        if self._shelf is None or self._shelf[0] != columns:
            self._shelf = columns, ProfileBatch([self._profiles[column] for column in columns])
        return self._shelf[1]
