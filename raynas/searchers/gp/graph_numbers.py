"""Numbers about an architecture's graph of layers: what costs and accuracies depend on.

Decisions describe a network indirectly: an operation on an edge that leads nowhere changes
neither its accuracy nor, much, its latency. The graph of its layers says what is computed. The
numbers are the counts of layers by what they do (the labels of Ru et al., 2021, arXiv:2006.07556,
without iterations), how many layers there are in all and on the longest and the shortest way from
the input to the output, how many ways there are, and the mass (amount of computation) of all
layers and of the heaviest way.
"""

from __future__ import annotations

import math
from collections import Counter
from functools import cached_property
from typing import Final

from raynas.rng import fit_rng
from raynas.searchers.gp.rows import Features
from raynas.space import Architecture, Space
from raynas.space.graph import Graph, Layer

_SEEN: Final = 200  # random architectures whose layers make the vocabulary
_LABELS: Final = 16  # the most kinds of layers that are counted, the most frequent ones

_Label = tuple[str, str | float | None]


class GraphNumbers:
    """Computes numbers about the graphs of a space's architectures."""

    def __init__(self, space: Space, features: Features | None = None) -> None:
        """Begin without a vocabulary; the first call collects it.

        Args:
            space: A space with ``graph``.
            features: Returns a user's features, which come first; none for no features.

        Raises:
            ValueError: The space has no ``graph``.
        """
        if space.graph is None:
            raise ValueError("GraphNumbers needs a space with a function graph")
        self._space = space
        self._graph = space.graph
        self._features = features

    def __call__(self, architecture: Architecture) -> tuple[float, ...]:
        """Return the user's features and the numbers about the graph."""
        given = self._features(architecture) if self._features else ()
        graph = self._graph(architecture)
        counts = Counter(map(_label, graph.layers))
        return (*given, *(float(counts[label]) for label in self._labels), *_sizes(graph))

    @cached_property
    def _labels(self) -> tuple[_Label, ...]:
        rng, counts = fit_rng(1), Counter[_Label]()
        for _ in range(_SEEN):
            counts.update(map(_label, self._graph(self._space.sample(rng)).layers))
        return tuple(label for label, _ in counts.most_common(_LABELS))


def with_graph(space: Space, features: Features | None) -> Features | None:
    """Return the features, and those of the graph if the space has one."""
    return features if space.graph is None else GraphNumbers(space, features)


def _label(layer: Layer) -> _Label:
    return layer.kind, layer.variant


def _sizes(graph: Graph) -> tuple[float, ...]:
    """Return layers, longest way, shortest way, log of the ways, mass, and heaviest way."""
    masses = [layer.mass for layer in graph.layers]
    longest, shortest, ways, heaviest = [0], [0], [1], [masses[0]]
    read: list[list[int]] = [[] for _ in masses]
    for source, target in graph.edges:
        read[target].append(source)
    for sources, mass in zip(read[1:], masses[1:], strict=True):
        longest.append(1 + max((longest[at] for at in sources), default=0))
        shortest.append(1 + min((shortest[at] for at in sources), default=0))
        ways.append(sum(ways[at] for at in sources))
        heaviest.append(mass + max((heaviest[at] for at in sources), default=0.0))
    return (
        float(len(masses)),
        float(longest[-1]),
        float(shortest[-1]),
        math.log(max(1, ways[-1])),
        math.fsum(masses),
        heaviest[-1],
    )
