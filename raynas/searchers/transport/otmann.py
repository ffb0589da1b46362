"""OTMANN, a distance between networks (Kandasamy et al., 2018, arXiv:1802.07191, section 3).

Optimal transport moves the mass of one network's layers to the layers of the other network.
Moving one unit of mass costs the difference of the two layers, in their type and in their
position; a unit that is not moved, of either network, costs one. POT solves the transport
problems.

Differs from the authors' code: the position of a layer is compared by the path lengths of all
kinds of layers in the networks, halved and added up, instead of those of three fixed groups,
averaged; different variants that are not numbers cost 0.25, the paper's cost for different
activations; one problem is solved for each kind of layer, because mass never moves between
different kinds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from raynas.errors import SearcherError
from raynas.space.graph import Graph

STRUCTURE: Final = (0.1, 0.25, 0.61, 1.5)
"""The prices of one step of difference in path length; each price gives a distance of its own."""

_SHARE: Final = 1 / 12  # weight of each path length: three paths, two directions, halved
_OTHER_VARIANT: Final = 0.25  # cost of different variants that are not numbers
_FRACTION: Final = 2**20  # path lengths are rounded to multiples of 1 / _FRACTION
_ALL: Final = "", False  # the key for layers of all kinds
_PIVOTS: Final = 100_000  # the most pivots of the network simplex
_OPTIMAL: Final = 1  # POT's status code of a solved problem; 3 means too many pivots

Floats = NDArray[np.float64]
Kind = tuple[str, bool]  # a layer's kind, and whether its variants are numbers


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """The properties of a network that the distance compares.

    Attributes:
        masses: ``[layers]``: the mass of each layer.
        variants: ``[layers]``: the variant of each layer, such as a kernel size.
        kinds: For each kind the indices of its layers with a mass above 0.
        lengths: For each kind ``[layers, 6]``: the number of layers of that kind on the shortest,
            the longest and a random path (the mean) from the input to the layer, then the same
            from the layer to the output.
    """

    masses: Floats
    variants: NDArray[Any]
    kinds: Mapping[Kind, NDArray[np.intp]]
    lengths: Mapping[Kind, Floats]


def profile(graph: Graph) -> Profile:
    """Return the properties of a network that the distance compares."""
    each = [(layer.kind, isinstance(layer.variant, int | float)) for layer in graph.layers]
    kinds = {kind: np.array([kind == one for one in each]) for kind in dict.fromkeys(each)}
    counted = np.column_stack([np.ones(len(each)), *kinds.values()])
    before, behind = _lengths(graph, counted), _lengths(_reversed(graph), counted[::-1])[::-1]
    lengths = np.concatenate([before, behind], axis=1)
    masses = np.array([layer.mass for layer in graph.layers], float)
    places = {kind: np.flatnonzero(own & (masses > 0)) for kind, own in kinds.items()}
    return Profile(
        masses,
        np.array([layer.variant for layer in graph.layers], object),
        {kind: own for kind, own in places.items() if own.size},
        {kind: lengths[:, :, i] for i, kind in enumerate((_ALL, *kinds))},
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Row:
    """All layers of one kind in a batch, one network after the other.

    Attributes:
        owners: ``[owners]``: the indices of the networks that have layers of this kind.
        ends: ``[owners + 1]``: the index of the first layer of each network, and the end.
        masses: ``[layers]``: the mass of each layer.
        variants: ``[layers]``: the variant of each layer.
        features: ``[layers, features]``: the path lengths of each layer.
    """

    owners: NDArray[np.intp]
    ends: NDArray[np.intp]
    masses: Floats
    variants: NDArray[Any]
    features: Floats


class ProfileBatch:
    """A batch of networks; computes the distances from another network to all of them."""

    def __init__(self, profiles: Sequence[Profile]) -> None:
        """Concatenate the layers of each kind.

        Args:
            profiles: The networks, at least one.
        """
        self.masses = np.array([one.masses.sum() for one in profiles])
        self._kinds = tuple(dict.fromkeys(kind for one in profiles for kind in one.lengths))
        features = [_features(one, self._kinds) for one in profiles]
        carried = dict.fromkeys(kind for one in profiles for kind in one.kinds)
        self._rows = {kind: _row(profiles, features, kind) for kind in carried}

    def distances(self, network: Profile) -> Floats:
        """Return ``[prices, networks]``: the distance of each network of the batch to this one.

        There is one distance for each price in ``STRUCTURE``.

        Raises:
            SearcherError: POT did not solve a transport problem.
        """
        total = np.tile(self.masses + network.masses.sum(), (len(STRUCTURE), 1))
        features = _features(network, self._kinds)
        strangers = [network.lengths[kind] for kind in network.lengths if kind not in self._kinds]
        extra = sum((lengths.sum(1) for lengths in strangers), np.zeros(len(features)))
        for kind, own in network.kinds.items():
            if row := self._rows.get(kind):
                steps = _SHARE * (_steps(features[own], row.features) + extra[own][:, None])
                other = _mislabelled(network.variants[own], row.variants, numbers=kind[1])
                gains = np.array([2 - other - price * steps for price in STRUCTURE]).clip(0)
                total[:, row.owners] -= _gained(network.masses[own], row, gains)
        return total.clip(0)


def _lengths(graph: Graph, counted: Floats) -> Floats:
    """Return ``[layers, 3, kinds]``: the lengths of the paths from the input to each layer.

    The three lengths are those of the shortest path, the longest path and a random path (the
    mean). The shortest and the longest path are found separately for each kind.

    Args:
        graph: The network.
        counted: ``[layers, kinds]``: how much each layer adds to the length of a path.
    """
    sources: list[list[int]] = [[] for _ in graph.layers]
    for source, target in graph.edges:
        sources[target].append(source)
    lengths = np.zeros((len(graph.layers), 3, counted.shape[1]))
    for target, read in enumerate(sources):
        if read:
            ways = lengths[read] + counted[read, None]
            lengths[target] = ways[:, 0].min(0), ways[:, 1].max(0), ways[:, 2].mean(0)
    # Sums of binary fractions are exact in any order, so a distance does not depend on the other
    # networks of its batch.
    return np.round(lengths * _FRACTION) / _FRACTION


def _reversed(graph: Graph) -> Graph:
    last = len(graph.layers) - 1
    edges = tuple((last - target, last - source) for source, target in graph.edges)
    return Graph(graph.layers[::-1], edges)


def _features(network: Profile, kinds: Sequence[Kind]) -> Floats:
    """Return ``[layers, 6 * len(kinds)]``: the path lengths of these kinds."""
    none = np.zeros((len(network.masses), 6))
    return np.hstack([network.lengths.get(kind, none) for kind in kinds])


def _row(profiles: Sequence[Profile], features: Sequence[Floats], kind: Kind) -> _Row:
    owners = [i for i, one in enumerate(profiles) if kind in one.kinds]
    places = [profiles[i].kinds[kind] for i in owners]
    return _Row(
        np.array(owners),
        np.cumsum([0, *map(len, places)]),
        np.concatenate([profiles[i].masses[at] for i, at in zip(owners, places, strict=True)]),
        np.concatenate([profiles[i].variants[at] for i, at in zip(owners, places, strict=True)]),
        np.concatenate([features[i][at] for i, at in zip(owners, places, strict=True)]),
    )


def _steps(one: Floats, other: Floats) -> Floats:
    """Return ``[one, other]``: the sum of the absolute differences of two layers' path lengths."""
    from scipy.spatial.distance import cdist  # noqa: PLC0415 - slow to load

    apart: Floats = cdist(one, other, "cityblock")
    return apart


def _mislabelled(one: NDArray[Any], other: NDArray[Any], *, numbers: bool) -> Floats:
    """Return ``[one, other]``: the cost of the difference of two layers' variants.

    For numbers it is the paper's cost for kernel sizes.
    """
    if numbers:
        apart: Floats = np.sqrt(2 * np.abs(np.subtract.outer(one, other).astype(float))) / 10
        return apart
    different: Floats = np.not_equal.outer(one, other).astype(float)
    return _OTHER_VARIANT * different


def _gained(masses: Floats, row: _Row, gains: Floats) -> Floats:
    """Return ``[prices, owners]``: how much cost the optimal transport saves.

    The cost without any transport is the mass of both networks.

    Args:
        masses: ``[layers]``: the masses of the network's layers of one kind.
        row: The layers of the same kind in the batch.
        gains: ``[prices, layers, layers of the row]``: the saving per unit of moved mass.
    """
    gained = np.zeros((len(gains), len(row.owners)))
    alone = np.diff(row.ends) == 1
    if len(masses) == 1:
        at = row.ends[:-1][alone]
        gained[:, alone] = np.minimum(masses, row.masses[at]) * gains[:, 0, at]
    else:
        alone[:] = False
    for i in np.flatnonzero(~alone).tolist():
        span = slice(row.ends[i], row.ends[i + 1])
        gained[:, i] = _transported(masses, row.masses[span], gains[:, :, span])
    return gained


def _transported(masses: Floats, others: Floats, gains: Floats) -> list[float]:
    """Return the greatest possible saving for each price.

    Raises:
        SearcherError: POT did not solve a problem, although every problem has a solution.
    """
    # Not the public ot.emd: for problems this small its overhead makes it eight times slower, and
    # a proposal spends most of its time here.
    from ot.lp.emd_wrap import emd_c  # noqa: PLC0415 - slow to load

    have, wanted = _with_rest(masses, others), _with_rest(others, masses)
    costs = np.zeros((len(gains), len(have), len(wanted)))
    np.negative(gains, out=costs[:, :-1, :-1])
    solved = [emd_c(have, wanted, cost, _PIVOTS, 1) for cost in costs]
    if any(status != _OPTIMAL for *_, status in solved):
        raise SearcherError(
            f"optimal transport between {len(masses)} and {len(others)} layers must be solved "
            f"within {_PIVOTS} pivots, but POT returned the status codes "
            f"{[status for *_, status in solved]}: give the layers of the space's graphs masses "
            "of the same order of magnitude"
        )
    return [-cost for _, cost, *_ in solved]


def _with_rest(masses: Floats, others: Floats) -> Floats:
    """Return the masses, and last a dummy layer that can take all mass of the others."""
    padded = np.empty(len(masses) + 1)
    padded[:-1], padded[-1] = masses, others.sum()
    return padded
