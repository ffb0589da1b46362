"""Place the layers of a piece: columns by the longest path, few crossings, straight lines.

This is the method of Sugiyama et al. (1981, doi:10.1109/TSMC.1981.4308636) in its simplest form: a
connection that passes columns gets a place in each of them, as a layer has; places in a column are
sorted by the means of their neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

_SWEEPS: Final = 8
_FIXED: Final = 1e6
_BOX: Final = 20.0  # so much more does it matter that a layer is in line than a connection

Edge = tuple[int, int]

Place = tuple[int, int, int]
"""A layer (its number, itself and its column), or a connection (source, target) in a column."""


@dataclass(frozen=True, slots=True)
class Placed:
    """The places of a piece.

    Attributes:
        across: The centre of each layer across the columns, in pixels; the entry and the last
            layer are at 0.
        routes: For each connection: where it passes each column between its ends, in pixels.
        low: The least position, with the half of a box.
        high: The greatest.
    """

    across: Mapping[int, float]
    routes: Mapping[Edge, tuple[float, ...]]
    low: float
    high: float


def columns(count: int, edges: Sequence[Edge]) -> dict[int, int]:
    """Return the column of each layer: the length of the longest path from the entry, layer -1."""
    found = dict.fromkeys(range(count), 1) | {-1: 0}
    for source, target in sorted(edges, key=lambda edge: edge[1]):
        found[target] = max(found[target], found[source] + 1)
    found[count - 1] = max(found.values())
    return found


def placed(
    sizes: Sequence[float], column: Mapping[int, int], edges: Sequence[Edge], gap: float
) -> Placed:
    """Place the layers of a piece.

    Args:
        sizes: The size of each layer across the columns, in pixels.
        column: The column of each layer.
        edges: The connections to be routed; -1 is the entry.
        gap: The distance between layers of a column, and the size of a connection.
    """
    chains = {
        (s, t): [
            (s, s, column[s]),
            *((s, t, c) for c in range(column[s] + 1, column[t])),
            (t, t, column[t]),
        ]
        for s, t in edges
    }
    near: dict[Place, list[Place]] = {(n, n, c): [] for n, c in column.items()}
    for chain in chains.values():
        for one, other in pairwise(chain):
            near.setdefault(one, []).append(other)
            near.setdefault(other, []).append(one)
    rows: list[list[Place]] = [[] for _ in range(1 + max(column.values()))]
    for place in near:
        rows[place[2]].append(place)

    def size(place: Place) -> float:
        return gap if place[0] != place[1] else gap + (sizes[place[0]] if place[0] >= 0 else 0)

    across = _across(rows, near, size, _straight(len(sizes) - 1, column, edges))
    low = min(across[place] - size(place) / 2 for place in near)
    high = max(across[place] + size(place) / 2 for place in near)
    return Placed(
        {n: across[n, n, c] for n, c in column.items()},
        {edge: tuple(across[place] for place in chain[1:-1]) for edge, chain in chains.items()},
        low,
        high,
    )


def _straight(last: int, column: Mapping[int, int], edges: Sequence[Edge]) -> set[Place]:
    """Return a longest way to the last layer, which is drawn as a straight line."""
    way = [last]
    while before := [s for s, t in edges if t == way[-1] and column[s] == column[t] - 1]:
        way.append(min(before))
    return {(-1, -1, 0), *((n, n, column[n]) for n in way)}


def _across(
    rows: Sequence[list[Place]],
    near: Mapping[Place, Sequence[Place]],
    size: Callable[[Place], float],
    fixed: Set[Place],
) -> dict[Place, float]:
    """Return the position of each place: sorted by neighbours, then moved towards them."""

    def spread(row: Sequence[Place], wanted: Mapping[Place, float]) -> dict[Place, float]:
        moved = _apart(
            [wanted[place] for place in row],
            [size(place) for place in row],
            [_FIXED if place in fixed else 1.0 if place[0] != place[1] else _BOX for place in row],
        )
        return dict(zip(row, moved, strict=True))

    at = {place: float(i - len(row) / 2) for row in rows for i, place in enumerate(row)}
    for sweep in range(2 * _SWEEPS):
        forth = sweep % 2 == 0
        for row in rows if forth else reversed(rows):
            wanted = {place: _wanted(place, near, at, forth=forth) for place in row}
            wanted |= {place: 0.0 for place in row if place in fixed}
            if sweep < _SWEEPS:
                row.sort(key=wanted.__getitem__)
                at.update({place: float(i - len(row) / 2) for i, place in enumerate(row)})
            else:
                at |= spread(row, wanted)
        if sweep == _SWEEPS - 1:
            for row in rows:
                at |= spread(row, dict.fromkeys(row, 0.0))
    return at


def _wanted(
    place: Place, near: Mapping[Place, Sequence[Place]], at: Mapping[Place, float], *, forth: bool
) -> float:
    """Return the mean of the neighbours in the column before (or behind, on the way back)."""
    behind = -1 if forth else 1
    found = [at[one] for one in near[place] if one[2] == place[2] + behind]
    return sum(found) / len(found) if found else at[place]


def _apart(
    wanted: Sequence[float], sizes: Sequence[float], weights: Sequence[float]
) -> list[float]:
    """Return the positions nearest to those wanted, in their order, that do not overlap.

    This is isotonic regression, by pooling adjacent violators.
    """
    offsets = [0.0]
    for one, other in pairwise(sizes):
        offsets.append(offsets[-1] + (one + other) / 2)
    pools: list[tuple[float, float, int]] = []  # mean, weight and size of each
    for want, offset, weight in zip(wanted, offsets, weights, strict=True):
        mean, heavy, count = want - offset, weight, 1
        while pools and pools[-1][0] > mean:
            before, other, many = pools.pop()
            mean = (before * other + mean * heavy) / (other + heavy)
            heavy, count = other + heavy, many + count
        pools.append((mean, heavy, count))
    bases = [mean for mean, _, count in pools for _ in range(count)]
    return [base + offset for base, offset in zip(bases, offsets, strict=True)]
