"""PC-DARTS (Xu et al., 2020, arXiv:1907.05737): a part of the channels is mixed.

Edges are normalised (section 3.3): a node adds the outputs of the edges that enter it by the
softmax of the strengths of edges, which are learnt beside those of options. So it counts less how
the weights of options fluctuate because only some channels are mixed. An architecture is derived
from the products of both weights, as in the authors' code. A network that is scored by the shared
weights adds its edges as it does when it is trained from scratch.

Differs from the authors' code: a space whose relaxation says no nodes has no strengths of edges.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from raynas.errors import ConfigError
from raynas.oneshot.methods.darts import DARTS
from raynas.oneshot.methods.differentiable import Differentiable, Strengths
from raynas.oneshot.mixture import Edge, Routes
from raynas.oneshot.relaxation import Relaxation
from raynas.oneshot.search import WEIGHT
from raynas.oneshot.training import SupernetTraining

_INTO: Final = "edges into "
"""The beginning of the name of a node's strengths, one for each edge that enters it."""


@dataclass(slots=True)
class PCDARTS(DARTS):
    """DARTS with mixtures of the first channels only, weights of edges, and a warm-up.

    Attributes:
        share: One over the share of the channels that is mixed.
    """

    name: ClassVar[str] = "pc-darts"
    recipe: ClassVar[Mapping[str, Any]] = Differentiable.recipe
    strength_rate: float = 6e-4
    warm_up: float = 0.3
    share: int = 4

    def __post_init__(self) -> None:
        """Check the options."""
        DARTS.__post_init__(self)
        if self.share < 1:
            raise ConfigError(f"pc-darts needs share >= 1, got {self.share}")

    def counts(self, relaxation: Relaxation) -> dict[str, int]:
        """Return also the number of edges that enter each node."""
        own = Differentiable.counts(self, relaxation)
        return own | {_INTO + name: len(edges) for name, edges in _nodes(relaxation)}

    def routes(self, strengths: Strengths, training: SupernetTraining, epoch: int) -> Routes:
        """Return the weighted sums, each with the weight of its edge."""
        options = {name: one for name, one in strengths.items() if not name.startswith(_INTO)}
        routes = DARTS.routes(self, options, training, epoch)
        for name, edges in _nodes(training.mixed.relaxation):
            weights = strengths[_INTO + name].softmax(0).unbind()
            routes |= {
                path: Edge(routes[path], weight)
                for path, weight in zip(edges, weights, strict=True)
            }
        return routes

    def weights(self) -> dict[str, list[float]]:
        """Return the weight of each option, by the path of the decision."""
        every = Differentiable.weights(self)
        return {name: one for name, one in every.items() if not name.startswith(_INTO)}

    def ranks(self, relaxation: Relaxation) -> dict[str, list[float]]:
        """Return the weight of each option times that of its edge."""
        edges = self._edges(relaxation)
        return {
            path: [edges.get(path, 1.0) * weight for weight in own]
            for path, own in self.weights().items()
        }

    def _edges(self, relaxation: Relaxation) -> dict[str, float]:
        """Return the weight of each edge of a node, by the path of its decision."""
        every = Differentiable.weights(self)
        return {
            path: weight
            for name, edges in _nodes(relaxation)
            for path, weight in zip(edges, every[_INTO + name], strict=True)
        }

    def reported(self, training: SupernetTraining) -> dict[str, float]:
        """Return the weights of edges as metrics, too."""
        relaxation = training.mixed.relaxation
        weights = self._edges(relaxation)
        return Differentiable.reported(self, training) | {
            f"{WEIGHT}{_INTO}{name}/{path}": weights[path]
            for name, edges in _nodes(relaxation)
            for path in edges
        }


def _nodes(relaxation: Relaxation) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield each node that several mixtures enter, and nothing else."""
    decisions = relaxation.space.decisions
    for name, edges in relaxation.nodes.items():
        if len(edges) > 1 and all(decisions[path].domain.count > 1 for path in edges):
            yield name, edges
