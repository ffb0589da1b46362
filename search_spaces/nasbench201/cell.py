"""The cell as decisions and as text; pure Python."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from raynas.errors import SpaceError
from raynas.space import Architecture, Choice, Space
from raynas.space.graph import Graph, Layer, between_ends

NODES: Final = 4
NONE: Final = "none"
SKIP: Final = "skip_connect"
POOL: Final = "avg_pool_3x3"
KERNELS: Final = {"nor_conv_1x1": 1, "nor_conv_3x3": 3}
OPERATIONS: Final = (NONE, SKIP, *KERNELS, POOL)

Edge = tuple[int, int]

# In the order of the published strings: by target, then by source.
EDGES: Final[dict[Edge, str]] = {
    (source, target): f"edge_{source}_{target}"
    for target in range(1, NODES)
    for source in range(target)
}
ENTERING: Final = {
    f"node_{target}": tuple(EDGES[source, target] for source in range(target))
    for target in range(1, NODES)
}
"""The decisions on the edges that enter each node."""

_INCOMING: Final = tuple(
    tuple((source, EDGES[source, target]) for source in range(target))
    for target in range(1, NODES)
)
_ZERO: Final = "#"
_LAYERS: Final = {POOL: Layer("pool", 16.0, "avg", "avg 3x3")} | {
    name: Layer("conv", 256.0, size, f"{size}x{size}") for name, size in KERNELS.items()
}
_NOTHING: Final = Layer("zero", 16.0)
_NAMES: Final = ("input", *(f"node {i}" for i in range(1, NODES - 1)), "output")
_TERMS: Final = {SKIP: "{}", POOL: "pool3x3({})"} | {
    name: f"conv{size}x{size}({{}})" for name, size in KERNELS.items()
}


def canonical(architecture: Architecture) -> str:
    """Return the expression that the output node computes, the same for equivalent cells.

    A node is the sorted sum of its terms, a skip equals its source, and an operation on zero is
    zero. This is the equivalence of NATS-Bench (Dong et al., 2021, arXiv:2009.00437), which gives
    6,466 classes of cells. As in NATS-Bench, zero terms are not removed from a sum, not every
    regrouping of sums is found, and it does not matter whether equal terms share their weights.
    """
    nodes = ["0"]
    for incoming in _INCOMING:
        terms = []
        for source, path in incoming:
            operation, term = architecture[path], nodes[source]
            if operation == NONE:
                term = _ZERO
            elif operation != SKIP and term != _ZERO:
                term = f"({term})@{operation}"
            terms.append(term)
        nodes.append("+".join(sorted(terms)))
    return nodes[-1]


def graph(architecture: Architecture) -> Graph:
    """Return the layers that the output depends on; a skip is a connection, not a layer.

    A layer's mass is that of NASBOT, for convolutions and poolings of 16 channels.
    """
    layers: list[Layer] = []
    edges: list[tuple[int, int]] = []
    nodes: list[set[int]] = [{0}, *(set() for _ in range(1, NODES))]  # the layers each one sums
    for (source, target), operation in operations(prune(architecture)):
        if operation == SKIP:
            nodes[target] |= nodes[source]
        elif operation != NONE:
            layers.append(_LAYERS[operation])
            edges += ((summed, len(layers)) for summed in nodes[source])
            nodes[target].add(len(layers))
    if not nodes[-1]:
        layers.append(_NOTHING)
    edges += ((summed, len(layers) + 1) for summed in nodes[-1])
    return between_ends(layers, edges)


SPACE: Final = Space(
    {name: Choice(OPERATIONS) for name in EDGES.values()}, canonical=canonical, graph=graph
)


def operations(architecture: Architecture) -> Iterator[tuple[Edge, str]]:
    """Yield each edge (source, target) with its operation, in the order of the strings."""
    return ((edge, str(architecture[path])) for edge, path in EDGES.items())


def prune(architecture: Architecture) -> Architecture:
    """Return the same cell with ``none`` on every edge that cannot influence the output.

    These are edges from a node that is always zero, or to a node that is not used.
    """
    fed, used = {0}, {NODES - 1}
    given = [
        (edge, operation) for edge, operation in operations(architecture) if operation != NONE
    ]
    for (source, target), _ in given:
        if source in fed:
            fed.add(target)
    for (source, target), _ in reversed(given):
        if target in used:
            used.add(source)
    live = {
        (source, target): operation
        for (source, target), operation in given
        if source in fed and target in used
    }
    return Architecture({path: live.get(edge, NONE) for edge, path in EDGES.items()})


def to_string(architecture: Architecture) -> str:
    """Return the published string of a cell, such as ``|none~0|+|none~0|...|+|...|``."""
    return "+".join(
        "".join(f"|{architecture[path]}~{source}" for source, path in incoming) + "|"
        for incoming in _INCOMING
    )


def from_string(text: str) -> Architecture:
    """Return the cell of a published string.

    Raises:
        SpaceError: The text is not such a string.
    """
    found = re.findall(r"([^|+~]+)~", text)
    if len(found) == len(EDGES) and set(found) <= set(OPERATIONS):
        architecture = SPACE.architecture(dict(zip(EDGES.values(), found, strict=True)))
        if to_string(architecture) == text:
            return architecture
    raise SpaceError(
        "a cell must be written |op~0|+|op~0|op~1|+|op~0|op~1|op~2| "
        f"with op one of {', '.join(OPERATIONS)}; got {text!r}"
    )


def draw(architecture: Architecture) -> str:
    """Return one line per node that the output depends on: the sum it computes."""
    live = dict(operations(prune(architecture)))
    lines = []
    for target in range(1, NODES):
        terms = [
            _TERMS[live[source, target]].format(_NAMES[source])
            for source in range(target)
            if live[source, target] != NONE
        ]
        if terms or target == NODES - 1:
            lines.append(f"{_NAMES[target]:6} = {' + '.join(terms) or '0'}")
    return "\n".join(lines)
