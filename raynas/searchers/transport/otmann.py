"""OTMANN, a distance between networks (Kandasamy et al., 2018, arXiv:1802.07191, section 3).

The mass of one network's layers is carried to the other's by optimal transport. Carrying a unit
costs as much as the two layers differ, in what they are and in where they stand; leaving a unit
out, on either side, costs one. The transport problems are solved by POT.

Differs from the authors' code: layers are compared by the path lengths of all kinds that occur,
halved and added up, rather than by those of three given groups, averaged; variants without a
number cost 0.25, the paper's price between activations; and since layers of different kinds are
never exchanged, one problem is solved per kind.
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
"""Prices of a step's difference in path length; each gives a distance of its own."""

_SHARE: Final = 1 / 12  # of each path length in a layer's place: three paths, two ways, halved
_OTHER_VARIANT: Final = 0.25
_FRACTION: Final = 2**20  # of a path length
_ALL: Final = "", False  # stands for layers of any kind
_PIVOTS: Final = 100_000  # at most, of the network simplex
_OPTIMAL: Final = 1  # what it ends with; 3 after too many pivots

Floats = NDArray[np.float64]
Kind = tuple[str, bool]  # a layer's kind, and whether its variants are numbers


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """What of a network the distance looks at.

    Attributes:
        masses: ``[layers]``.
        variants: ``[layers]`` of each layer.
        kinds: The positions of the layers of each kind, but for those without mass.
        lengths: Per kind ``[layers, 6]``: how many layers of that kind lie on the shortest, the
            longest and a random path from the input, and likewise to the output.
    """

    masses: Floats
    variants: NDArray[Any]
    kinds: Mapping[Kind, NDArray[np.intp]]
    lengths: Mapping[Kind, Floats]


def profile(graph: Graph) -> Profile:
    """Return what of a network the distance looks at."""
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
    """All layers of one kind in a batch, network after network.

    Attributes:
        owners: ``[owners]`` the networks that have any.
        ends: ``[owners + 1]`` where the layers of each begin, and the last ones end.
        masses: ``[layers]``.
        variants: ``[layers]``.
        features: ``[layers, features]`` path lengths.
    """

    owners: NDArray[np.intp]
    ends: NDArray[np.intp]
    masses: Floats
    variants: NDArray[Any]
    features: Floats


class ProfileBatch:
    """Networks to which distances are wanted, side by side."""

    def __init__(self, profiles: Sequence[Profile]) -> None:
        """Put the layers of one kind next to each other.

        Args:
            profiles: The networks, at least one.
        """
        self.masses = np.array([one.masses.sum() for one in profiles])
        self._kinds = tuple(dict.fromkeys(kind for one in profiles for kind in one.lengths))
        features = [_features(one, self._kinds) for one in profiles]
        carried = dict.fromkeys(kind for one in profiles for kind in one.kinds)
        self._rows = {kind: _row(profiles, features, kind) for kind in carried}

    def distances(self, network: Profile) -> Floats:
        """Return ``[prices, networks]``: how far each network is from this one.

        There is a distance for every price in ``STRUCTURE``.
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
    """Return ``[layers, 3, kinds]``: how many layers lie before each one.

    Args:
        graph: The network.
        counted: ``[layers, kinds]`` how much each layer counts.

    Returns:
        On the shortest, the longest and a random path from the input; what counts least and most
        is found kind by kind.
    """
    sources: list[list[int]] = [[] for _ in graph.layers]
    for source, target in graph.edges:
        sources[target].append(source)
    lengths = np.zeros((len(graph.layers), 3, counted.shape[1]))
    for target, read in enumerate(sources):
        if read:
            ways = lengths[read] + counted[read, None]
            lengths[target] = ways[:, 0].min(0), ways[:, 1].max(0), ways[:, 2].mean(0)
    # As binary fractions they add up to the same, whatever the order: no distance depends on
    # which others are found with it.
    return np.round(lengths * _FRACTION) / _FRACTION


def _reversed(graph: Graph) -> Graph:
    last = len(graph.layers) - 1
    edges = tuple((last - target, last - source) for source, target in graph.edges)
    return Graph(graph.layers[::-1], edges)


def _features(network: Profile, kinds: Sequence[Kind]) -> Floats:
    """Return ``[layers, 6 * len(kinds)]``: the path lengths of these kinds, side by side."""
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
    """Return ``[one, other]``: by how much two layers' path lengths differ in all."""
    from scipy.spatial.distance import cdist  # noqa: PLC0415 - slow to load

    apart: Floats = cdist(one, other, "cityblock")
    return apart


def _mislabelled(one: NDArray[Any], other: NDArray[Any], *, numbers: bool) -> Floats:
    """Return ``[one, other]``: what the difference of two layers' variants costs.

    For the sizes of kernels that is the price of the paper.
    """
    if numbers:
        apart: Floats = np.sqrt(2 * np.abs(np.subtract.outer(one, other).astype(float))) / 10
        return apart
    different: Floats = np.not_equal.outer(one, other).astype(float)
    return _OTHER_VARIANT * different


def _gained(masses: Floats, row: _Row, gains: Floats) -> Floats:
    """Return ``[prices, owners]``: how much less it costs to carry mass than to leave it out.

    Args:
        masses: ``[layers]`` of the network.
        row: The layers of the same kind in the batch.
        gains: ``[prices, layers, layers of the row]`` what carrying a unit saves.
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
    """Return, for every price, the most that carrying mass, or leaving it out, can gain.

    Raises:
        SearcherError: A problem was not solved, which always has a solution.
    """
    # Not the public ot.emd: around problems as small as these it takes eight times as long, and
    # deciding is little else than solving them.
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
    """Return the masses and, last, room for all that the others may leave out."""
    padded = np.empty(len(masses) + 1)
    padded[:-1], padded[-1] = masses, others.sum()
    return padded
