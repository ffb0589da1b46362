"""The graph of an architecture, for pictures of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from raynas.space import Architecture, Decision, Space
from raynas.space.graph import Graph, decision_chain

if TYPE_CHECKING:
    from torch import nn

_LOG = logging.getLogger("raynas")

GraphOf = Callable[[Architecture], Graph]
"""Returns the layers of an architecture and their connections."""


def graphs_of(space: Space, build: Callable[[Architecture], nn.Module] | None = None) -> GraphOf:
    """Return the function that makes the graphs of a space's architectures.

    They come from the space's ``graph``; or from the network, by ``torch.fx``; or they are chains
    of decisions. A source that fails is passed over: a run goes on without a better picture.

    Args:
        space: The space.
        build: Makes the network of an architecture; it is called without memory for weights. None
            if there is no such function.
    """

    def of_network(architecture: Architecture) -> Graph | None:
        from raynas.costs.traced import traced_build  # noqa: PLC0415 - loads torch

        return traced_build(build, architecture) if build else None

    def graph(architecture: Architecture) -> Graph:
        for source in (space.graph, of_network):
            try:
                if source and (found := source(architecture)):
                    return found
            except Exception as error:  # noqa: BLE001 - code of a user, who sees the other picture
                _LOG.debug("no graph of %r: %s", architecture, error)
        return decision_chain(space.decisions, architecture)

    return graph


def chains_of(decisions: Mapping[str, Decision]) -> GraphOf:
    """Return the function for a space of which only the decisions are known."""
    return lambda architecture: decision_chain(decisions, architecture)
