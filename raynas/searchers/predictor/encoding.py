"""Architectures as rows of numbers: the inputs of a predictor."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from raynas.errors import ConfigError
from raynas.space import Architecture, Space
from raynas.space.encode import vector
from raynas.space.graph import Graph

_PATHS: Final = 200  # the largest number of paths of a graph, and of a vocabulary
_OFTEN: Final = 2  # a path is used if at least so many networks have it
_BESIDE: Final = 0.3  # the weight of decisions relative to paths, which tell more
_LOUDEST: Final = 2.0  # the total weight of a network's paths, at most

Path = tuple[object, ...]
"""Kind and variant of the layers along a path, in their order."""

Kind = Literal["path", "vector", "both"]
"""What of a network is seen: the paths through its graph, its vector of decisions, or both."""


def chosen(space: Space, kind: Kind | None) -> Kind:
    """Return the encoding to use; by default, everything that the space has.

    Raises:
        ConfigError: The encoding needs paths, and the space has no graph.
    """
    if kind in ("path", "both") and space.graph is None:
        raise ConfigError(
            f"the encoding {kind!r} needs a space with a graph of layers, and this space has "
            "none: use the encoding 'vector', or make the space by Space(tree, graph=...)"
        )
    return kind or ("vector" if space.graph is None else "both")


class Encoding:
    """The masked vector of decisions and, if the space has a graph, the paths of the network.

    Only the most frequent paths (White et al., 2021, arXiv:1910.11858, section 4) that occur in
    several training networks are used, because the others carry no information. A cell of DARTS
    has about twenty of them; so paths are weighted not to hide the decisions.
    """

    def __init__(
        self, space: Space, networks: Sequence[Architecture], kind: Kind | None = None
    ) -> None:
        """Compute the paths and the centre from these networks (at least one).

        Raises:
            ConfigError: The encoding needs paths, and the space has no graph.
        """
        self._space = space
        self._kind = chosen(space, kind)
        self._known: dict[Architecture, Sequence[Path]] = {}
        self._known |= {network: self._paths(network) for network in networks}
        seen = Counter(path for network in networks for path in self._known[network])
        often = [(path, n) for path, n in seen.most_common(_PATHS) if n >= _OFTEN]
        self._column = {path: column for column, (path, _) in enumerate(often)}
        shares = np.array([n for _, n in often]) / len(networks)
        energy = float(shares @ (1 - shares))
        self._loudness = min(1.0, math.sqrt(_LOUDEST / energy)) if energy else 0.0
        self._centre: NDArray[np.float64] = np.zeros(1)
        self._centre = self.rows(networks).mean(0)

    def rows(self, networks: Sequence[Architecture]) -> NDArray[np.float64]:
        """Return ``[networks, features]``, with mean zero over the training networks."""
        has = np.zeros((len(networks), len(self._column)))
        for row, network in zip(has, networks, strict=True):
            own = self._known.get(network) or self._paths(network)
            row[[self._column[path] for path in own if path in self._column]] = self._loudness
        if self._kind == "path":
            return has - self._centre
        vectors = [vector(self._space, network) for network in networks]
        values = np.array([one.values for one in vectors])
        active = np.array([one.active for one in vectors], float)
        decided = np.hstack([values, active])
        if self._loudness:
            decided *= _BESIDE
        return np.hstack([decided, has]) - self._centre

    def _paths(self, network: Architecture) -> Sequence[Path]:
        if self._kind == "vector" or self._space.graph is None:
            return ()
        return paths(self._space.graph(network))


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
