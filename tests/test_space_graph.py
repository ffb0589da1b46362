"""Architectures as graphs of layers."""

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
import strategies
from hypothesis import given
from hypothesis import strategies as st
from test_darts import renumbered
from torch import nn

from raynas.errors import SpaceError
from raynas.searchers.predictor.encoding import paths
from raynas.searchers.transport.otmann import ProfileBatch, profile
from raynas.space.graph import Graph, Layer, between_ends, chain, decision_chain
from search_spaces import darts, mlp, mobile, nasbench201
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
        ((CONV, CONV), ((1, 0),), "to a later layer, with positions from 0 to 1"),
        ((CONV, CONV), ((1, 1),), "to a later layer"),
        ((CONV, CONV), ((0, 2),), "to a later layer"),
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


# The graphs of the spaces

SPACES = {name: s for name, s in strategies.shipped_spaces().items() if s.graph is not None}


def far(one, other):
    """How far two graphs are by OTMANN, in parts of their mass, for every price of structure."""
    mass = sum(layer.mass for layer in (*one.layers, *other.layers))
    return ProfileBatch([profile(other)]).distances(profile(one))[:, 0] / max(mass, 1e-9)


def test_every_shipped_space_offers_a_graph():
    assert SPACES.keys() == strategies.shipped_spaces().keys()


@pytest.mark.parametrize("name", SPACES)
def test_networks_are_the_further_apart_the_more_layers_differ(name):
    """Medians over random walks: away from a network, one decision after the other."""
    space, rng, apart = SPACES[name], strategies.generator(1), []
    for _ in range(12):
        here = start = space.sample(rng)
        walk = []
        for _ in range(9):
            here = space.mutate(here, rng)
            walk.append(far(space.graph(start), space.graph(here)))
        apart.append(walk)
    medians = np.median(apart, axis=0)
    assert (medians[8] > medians[3]).all()
    assert (medians[3] > medians[0]).all()
    assert (np.array(apart) <= 1 + 1e-9).all()


@pytest.mark.parametrize("name", SPACES)
def test_hardly_two_networks_look_the_same(name):
    """But for a few cells that sum up the same in another order."""
    space, rng = SPACES[name], strategies.generator(2)
    found = [(space.identity(one), one) for one in (space.sample(rng) for _ in range(60))]
    apart = [
        far(space.graph(one), space.graph(other)).max()
        for (mine, one), (theirs, other) in combinations(found, 2)
        if mine != theirs
    ]
    assert np.mean(np.array(apart) < 1e-6) < 0.01


@pytest.mark.parametrize("name", SPACES)
def test_paths_are_few(name):
    space, rng = SPACES[name], strategies.generator(3)
    assert max(len(paths(space.graph(space.sample(rng)))) for _ in range(200)) <= 36


@given(seed=strategies.seeds())
def test_equal_cells_of_darts_have_equal_graphs(seed):
    """Whatever the numbers of their nodes: a memo by identity must not change proposals."""
    rng = strategies.generator(seed)
    genotype = darts.to_genotype(darts.SPACE.sample(rng))
    normal, reduce = (renumbered(cell, rng) for cell in (genotype.normal, genotype.reduce))
    other = darts.from_genotype(darts.Genotype(normal, range(2, 6), reduce, range(2, 6)))
    graphs = [darts.SPACE.graph(one) for one in (darts.from_genotype(genotype), other)]
    assert graphs[0] == graphs[1]
    assert np.allclose(far(*graphs), 0, atol=1e-9)


def test_the_cells_of_darts_v2_as_layers():
    graph = darts.SPACE.graph(darts.from_genotype(darts.GENOTYPES["DARTS_V2"]))
    named = Counter((layer.kind, layer.variant) for layer in graph.layers)
    assert named == {
        ("input", None): 1,
        ("output", None): 1,
        **{(f"{cell} input {i}", None): 1 for cell in ("normal", "reduction") for i in (0, 1)},
        **{(f"{cell} sum", None): 4 for cell in ("normal", "reduction")},
        ("normal conv", "separable 3x3"): 5,
        ("normal conv", "dilated 3x3"): 1,
        ("reduction pool", "max"): 5,
    }
    found = {tuple(layer[0] for layer in path) for path in paths(graph)}
    assert ("input", "normal input 0", "normal sum", "output") in found, "a skip"
    widths = [16, 16, 32, 32, 64, 64]
    masses = {(layer.kind, layer.variant): layer.mass for layer in graph.layers}
    assert masses["normal conv", "dilated 3x3"] == sum(w * w + w for w in widths)
    assert masses["normal conv", "separable 3x3"] == 2 * sum(w * w + w for w in widths)
    assert masses["reduction pool", "max"] == 32 + 64


@given(seed=strategies.seeds())
def test_the_mass_of_a_perceptron_is_its_weights(seed):
    """Of its hidden layers, on examples of 64 features."""
    one = mlp.SPACE.sample(strategies.generator(seed))
    network = mlp.build(one, (64,), 10)
    *hidden, _ = (part for part in network.modules() if isinstance(part, nn.Linear))
    masses = [layer.mass for layer in mlp.SPACE.graph(one).layers if layer.kind == "linear"]
    assert masses == [part.weight.numel() for part in hidden]


@pytest.mark.parametrize("name", mobile.PUBLISHED)
def test_the_mass_of_a_mobile_network_is_its_convolutions_at_kernel_one(name):
    one = mobile.PUBLISHED[name]
    graph = mobile.SPACE.graph(one)
    convolutions = [
        part.weight.shape[0] * part.weight.shape[1]
        for part in mobile.build(one, (3, 224, 224), 10, width=1.0).modules()
        if isinstance(part, nn.Conv2d)
    ]
    mass = sum(layer.mass for layer in graph.layers[1:-1])
    assert mass == pytest.approx(sum(convolutions), rel=1e-3), "squeezed channels are rounded"
    kernels = [layer.variant for layer in graph.layers if layer.kind == "block"]
    assert kernels == [kernel for stage in mobile.stages(one) for kernel, _ in stage.blocks]
