"""Architectures as graphs of layers."""

import numpy as np
import pytest
import strategies
from hypothesis import given
from hypothesis import strategies as st

from raynas.errors import SpaceError
from raynas.space.graph import Graph, Layer, between_ends, chain, decision_chain
from search_spaces import nasbench201
from search_spaces.nasbench201.cell import NODES, operations

CONV = Layer("conv", 2.0, 3)


@given(layers=st.integers(0, 6), data=st.data())
def test_everything_lies_between_the_ends(layers, data):
    pairs = [(one, other) for other in range(layers + 2) for one in range(other)]
    given = data.draw(st.lists(st.sampled_from(pairs), unique=True))
    graph = between_ends([CONV] * layers, given)
    assert set(given) <= set(graph.edges)
    assert {source for source, _ in graph.edges} == {*range(layers + 1)}
    assert {target for _, target in graph.edges} == {*range(1, layers + 2)}
    assert layers == 0 or (0, layers + 1) in given or (0, layers + 1) not in graph.edges


def test_each_end_weighs_a_tenth_of_the_layers():
    graph = chain([CONV, Layer("pool", 8.0)])
    assert [layer.mass for layer in graph.layers] == [1.0, 2.0, 8.0, 1.0]
    assert graph.edges == ((0, 1), (1, 2), (2, 3))


@pytest.mark.parametrize(
    ("layers", "edges", "says"),
    [
        ((), (), "at least one layer"),
        ((Layer("conv", -1.0),), (), "at least zero"),
        ((Layer("conv", float("nan")),), (), "at least zero"),
        ((CONV, CONV), ((1, 0),), "to a later one of 2"),
        ((CONV, CONV), ((1, 1),), "to a later one"),
        ((CONV, CONV), ((0, 2),), "to a later one"),
    ],
)
def test_impossible_graphs_are_refused(layers, edges, says):
    with pytest.raises(SpaceError, match=says):
        Graph(layers, edges)


@given(space=strategies.spaces(), seed=strategies.seeds())
def test_the_chain_of_decisions_tells_architectures_apart(space, seed):
    rng = strategies.generator(seed)
    one, other = space.sample(rng), space.sample(rng)
    graphs = [decision_chain(space.decisions, each) for each in (one, other)]
    assert (graphs[0] == graphs[1]) == (one == other)
    assert len(graphs[0].layers) == len(one) + 2


def test_the_cell_of_nasbench201_as_layers():
    """Two convolutions side by side, over a skip, and a pooling behind one of them."""
    text = "|nor_conv_3x3~0|+|skip_connect~0|none~1|+|none~0|avg_pool_3x3~1|nor_conv_1x1~2|"
    graph = nasbench201.SPACE.graph(nasbench201.from_string(text))
    named = [(layer.kind, layer.variant) for layer in graph.layers]
    assert named == [("input", None), ("conv", 3), ("pool", "avg"), ("conv", 1), ("output", None)]
    assert graph.edges == ((0, 1), (0, 3), (1, 2), (2, 4), (3, 4))


@given(seed=strategies.seeds())
def test_what_cannot_influence_the_output_is_no_layer(seed):
    cell = nasbench201.SPACE.sample(strategies.generator(seed))
    graph = nasbench201.SPACE.graph(cell)
    assert graph == nasbench201.SPACE.graph(nasbench201.prune(cell))
    live = [
        name
        for _, name in operations(nasbench201.prune(cell))
        if name not in ("none", "skip_connect")
    ]
    nothing = all(name == "none" for _, name in operations(nasbench201.prune(cell)))
    assert len(graph.layers) == len(live) + 2 + nothing


def test_a_cell_that_computes_nothing_is_not_the_identity():
    nothing, identity = (
        nasbench201.SPACE.architecture(dict.fromkeys(nasbench201.SPACE.decisions, name))
        for name in ("none", "skip_connect")
    )
    assert nasbench201.SPACE.graph(nothing) != nasbench201.SPACE.graph(identity)


def test_equal_paths_of_operations_lead_through_the_graph():
    """Every way through a cell that meets no ``none`` is one through its graph, skips left out."""
    rng = np.random.default_rng(5)
    for _ in range(50):
        cell = nasbench201.SPACE.sample(rng)
        graph = nasbench201.SPACE.graph(cell)
        assert set(_ways(dict(operations(cell)))) == set(_through(graph)) - {("zero",)}


def _ways(cell, node=0):
    if node == NODES - 1:
        yield ()
        return
    for target in range(node + 1, NODES):
        name = cell[node, target]
        if name != "none":
            own = () if name == "skip_connect" else (name,)
            yield from ((*own, *rest) for rest in _ways(cell, target))


def _through(graph, place=0):
    layer = graph.layers[place]
    names = {("conv", 1): "nor_conv_1x1", ("conv", 3): "nor_conv_3x3", ("pool", "avg"): POOL}
    own = () if layer.kind in ("input", "output") else (names.get((layer.kind, layer.variant)),)
    own = ("zero",) if layer.kind == "zero" else own
    if layer.kind == "output":
        yield ()
        return
    for source, target in graph.edges:
        if source == place:
            yield from ((*own, *rest) for rest in _through(graph, target))


POOL = "avg_pool_3x3"
