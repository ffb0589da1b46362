"""Architectures as rows of numbers: what a predictor sees."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from raynas.space import Architecture, Space
from raynas.space.encode import vector
from raynas.space.graph import Graph

_PATHS: Final = 200  # of a graph, and of a vocabulary, at most
_OFTEN: Final = 2  # networks that must have a path before anything is learnt from it
_BESIDE: Final = 0.3  # how loud decisions are beside paths, which say more

Path = tuple[object, ...]
"""Kind and variant of the layers along a path, in their order."""


class Encoding:
    """The masked vector and, where the space offers a graph, which paths it has.

    Of paths (White et al., 2021, arXiv:1910.11858, section 4) only those count that occur in
    several of the networks that are learnt from, the most frequent ones: the rest teach nothing.
    """

    def __init__(self, space: Space, networks: Sequence[Architecture]) -> None:
        """Take the paths and the centre from these networks, at least one."""
        self._space = space
        seen = Counter(path for network in networks for path in self._paths(network))
        often = [path for path, count in seen.most_common(_PATHS) if count >= _OFTEN]
        self._column = {path: column for column, path in enumerate(often)}
        self._scale = 1.0 if space.graph is None else _BESIDE
        self._centre: NDArray[np.float64] = np.zeros(1)
        self._centre = self.rows(networks).mean(0)

    def rows(self, networks: Sequence[Architecture]) -> NDArray[np.float64]:
        """Return ``[networks, features]``, of mean zero over the networks learnt from."""
        has = np.zeros((len(networks), len(self._column)))
        for row, network in zip(has, networks, strict=True):
            row[[self._column[path] for path in self._paths(network) if path in self._column]] = 1
        vectors = [vector(self._space, network) for network in networks]
        values = np.array([one.values for one in vectors])
        active = np.array([one.active for one in vectors], float)
        return np.hstack([self._scale * values, self._scale * active, has]) - self._centre

    def _paths(self, network: Architecture) -> Sequence[Path]:
        return () if self._space.graph is None else paths(self._space.graph(network))


def paths(graph: Graph) -> Sequence[Path]:
    """Return the different paths through a network, the shortest ones first if there are many."""
    read = {source for source, _ in graph.edges}
    reading: list[list[int]] = [[] for _ in graph.layers]
    for source, target in graph.edges:
        reading[target].append(source)
    ways: list[list[Path]] = []
    for layer, sources in zip(graph.layers, reading, strict=True):
        before = [way for source in sources for way in ways[source]] or [()]
        here = dict.fromkeys((*way, (layer.kind, layer.variant)) for way in before)
        ways.append(sorted(here, key=len)[:_PATHS])
    whole = (way for i, one in enumerate(ways) if i not in read for way in one)
    return list(dict.fromkeys(whole))
