"""NASBOT: its distance against a linear programme, its process against scikit-learn's."""

import math
from functools import partial
from itertools import pairwise
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
import strategies
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Kernel as SklearnKernel

from raynas.errors import SearcherError
from raynas.execution.plan import Plan
from raynas.execution.simulate import Budget, Cluster, Simulation
from raynas.schedulers.run_to_end import RunToEnd
from raynas.searchers import make
from raynas.searchers.transport import otmann
from raynas.searchers.transport.distance_table import Distances, DistanceTable, Network
from raynas.searchers.transport.otmann import STRUCTURE, ProfileBatch, profile
from raynas.searchers.transport.process import (
    Kernel,
    believing,
    expected_improvement,
    fit,
    negative_log_likelihood,
    posterior,
)
from raynas.space import Choice, Space
from raynas.space.graph import Graph, Layer, decision_chain
from raynas.tables.nasbench201 import nasbench201
from search_spaces import darts
from search_spaces.nasbench201 import SPACE

TABLE = Path(__file__).resolve().parents[2] / "shared" / "benchdata" / "nb201.npz"

# The distance


def layers():
    mass = st.sampled_from((0.0, 1.0, 2.0, 2.5, 16.0))
    conv = st.builds(Layer, st.just("conv"), mass, st.sampled_from((1, 3, 5, 7)))
    pool = st.builds(Layer, st.just("pool"), mass, st.sampled_from(("max", "avg")))
    return conv | pool | st.builds(Layer, st.just("add"), mass)


@st.composite
def graphs(draw):
    """Any graph of at most seven layers."""
    own = draw(st.lists(layers(), min_size=1, max_size=7))
    pairs = [(one, other) for other in range(len(own)) for one in range(other)]
    edges = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else ()
    return Graph(tuple(own), tuple(edges))


def distances(one, other):
    return ProfileBatch([profile(other)]).distances(profile(one))[:, 0]


@settings(max_examples=40)
@given(one=graphs(), other=graphs(), third=graphs())
def test_it_is_a_distance(one, other, third):
    apart = distances(one, other)
    assert np.allclose(distances(one, one), 0, atol=1e-9)
    assert np.allclose(apart, distances(other, one), atol=1e-9)
    assert (apart <= distances(one, third) + distances(third, other) + 1e-9).all()
    mass = sum(layer.mass for layer in (*one.layers, *other.layers))
    assert (apart >= 0).all()
    assert (apart <= mass + 1e-9).all(), "at most everything is left out"
    assert (np.diff(apart) >= -1e-9).all(), "the dearer structure is, the further apart"


@given(graph=graphs(), other=graphs(), seed=strategies.seeds())
def test_the_order_in_which_layers_are_listed_does_not_matter(graph, other, seed):
    assert np.allclose(distances(relabelled(graph, seed), graph), 0, atol=1e-9)
    assert np.allclose(distances(relabelled(graph, seed), other), distances(graph, other))


def relabelled(graph, seed):
    """The same graph with its layers in another order in which they can be computed."""
    rng = strategies.generator(seed)
    waiting = nx.DiGraph(graph.edges)
    waiting.add_nodes_from(range(len(graph.layers)))
    order = []
    while waiting:
        ready = [node for node, degree in waiting.in_degree() if not degree]
        order.append(ready[int(rng.integers(len(ready)))])
        waiting.remove_node(order[-1])
    place = {layer: at for at, layer in enumerate(order)}
    edges = tuple((place[source], place[target]) for source, target in graph.edges)
    return Graph(tuple(graph.layers[layer] for layer in order), edges)


@settings(max_examples=40)
@given(one=graphs(), other=graphs())
def test_it_is_the_optimum_of_the_papers_linear_programme(one, other):
    assert np.allclose(distances(one, other), programme(one, other), atol=1e-7)


def programme(one, other):
    """The whole transport, with a layer on each side that takes what is left out."""
    have, wanted = ([layer.mass for layer in graph.layers] for graph in (one, other))
    supply, demand = [*have, sum(wanted)], [*wanted, sum(have)]
    equal = [np.kron(np.eye(len(supply)), np.ones(len(demand)))]
    equal.append(np.kron(np.ones(len(supply)), np.eye(len(demand))))
    found = []
    for price in STRUCTURE:
        costs = np.ones((len(supply), len(demand)))
        costs[-1, -1] = 0
        for i, mine in enumerate(places(one)):
            for j, theirs in enumerate(places(other)):
                label = mislabelled(one.layers[i], other.layers[j])
                costs[i, j] = label + price * structure(mine, theirs)
        solved = linprog(costs.ravel(), A_eq=np.vstack(equal), b_eq=[*supply, *demand])
        assert solved.success
        found.append(solved.fun)
    return found


def mislabelled(one, other):
    if one.kind != other.kind:
        return 7.65e5
    if one.variant == other.variant:
        return 0
    return (
        0.25
        if one.kind == "pool"
        else math.sqrt(2) / 10 * math.sqrt(abs(one.variant - other.variant))
    )


def places(graph):
    """Per layer its path lengths, by way, kind and sort of path, found path by path."""
    network = nx.DiGraph(graph.edges)
    network.add_nodes_from(range(len(graph.layers)))
    found = [{} for _ in graph.layers]
    for way, net in (("in", network), ("out", network.reverse())):
        ends = [node for node, degree in net.in_degree() if not degree]
        for node, own in enumerate(found):
            routes = [path for end in ends for path in paths(net, end, node)]
            for kind in ("all", "conv", "pool", "add"):
                counts = [counted(graph, path, kind) for path in routes]
                own[way, kind, "shortest"], own[way, kind, "longest"] = min(counts), max(counts)
                chances = [chance(net, path) for path in routes]
                own[way, kind, "random"] = np.dot(counts, chances) / sum(chances)
    return found


def paths(net, source, target):
    return [[target]] if source == target else list(nx.all_simple_paths(net, source, target))


def counted(graph, path, kind):
    return sum(kind in ("all", graph.layers[layer].kind) for layer in path[:-1])


def chance(net, path):
    """That one who walks from the path's end to its beginning, choosing evenly, takes it."""
    return math.prod(1 / net.in_degree(node) for _, node in pairwise(path))


def structure(one, other):
    """The mean over ways and sorts of paths; all layers weigh as much as all kinds together."""
    return sum(abs(one[each] - other[each]) for each in one) / 12


@given(data=st.data())
def test_a_distance_does_not_depend_on_what_else_is_asked(data):
    """To the last bit: a memo must not change what is proposed."""
    profiles = [profile(data.draw(graphs())) for _ in range(4)]
    together = ProfileBatch(profiles[1:]).distances(profiles[0])
    alone = np.hstack([ProfileBatch([one]).distances(profiles[0]) for one in profiles[1:]])
    assert (together == alone).all()


def test_a_memo_of_distances_says_what_a_fresh_one_says():
    rng = strategies.generator(2)
    networks = [network(SPACE.sample(rng)) for _ in range(12)]
    warm = DistanceTable(SPACE.graph)
    warm.among(networks[:3])
    warm.between(networks[5:], networks[2:5])
    warm.among(networks[:9])
    for one, other in (
        (warm.among(networks), DistanceTable(SPACE.graph).among(networks)),
        (warm.between(networks, networks), DistanceTable(SPACE.graph).between(networks, networks)),
    ):
        assert (one.lp == other.lp).all()
        assert (one.emd == other.emd).all()
    full = warm.between(networks, networks)
    assert np.allclose(full.lp, warm.among(networks).lp)
    assert ((full.emd >= 0) & (full.emd <= 1)).all()


def network(architecture):
    return Network(SPACE.identity(architecture), architecture)


def test_a_transport_that_was_not_solved_is_no_distance(monkeypatch):
    rng = strategies.generator(0)
    one, other = (darts.SPACE.graph(darts.SPACE.sample(rng)) for _ in range(2))
    distances(one, other)
    monkeypatch.setattr(otmann, "_PIVOTS", 1)
    with pytest.raises(
        SearcherError, match="solved within 1 pivots, but POT returned the status codes"
    ):
        distances(one, other)


def test_layers_without_mass_count_in_the_places_of_others():
    layers = Layer("input", 1.0), Layer("add", 0.0), Layer("conv", 4.0, 3)
    added = Graph(layers, ((0, 1), (1, 2)))
    without = Graph((layers[0], layers[2]), ((0, 1),))
    assert np.allclose(distances(added, without), programme(added, without))
    assert (distances(added, without) > 0).all()


# The process


class Given(SklearnKernel):
    """A kernel between the numbers of networks whose covariances are known."""

    def __init__(self, covariances):
        self.covariances = covariances

    def __call__(self, one, other=None, eval_gradient=False):  # noqa: FBT002, ARG002 - scikit-learn's
        other = one if other is None else other
        return self.covariances[np.ix_(one[:, 0].astype(int), other[:, 0].astype(int))]

    def diag(self, one):
        return np.diag(self.covariances)[one[:, 0].astype(int)]

    def is_stationary(self):
        return False


def case(seed, known=12, others=5):
    """Distances among random cells, a kernel of them, targets and counts of the first ones."""
    rng = strategies.generator(seed)
    networks = [network(SPACE.sample(rng)) for _ in range(known + others)]
    apart = DistanceTable(SPACE.graph).among(networks)
    kernel = Kernel(rng.uniform(0.2, 1, 2), rng.uniform(0.001, 0.01, (2, 4)), 0.1)
    return apart, kernel, rng.normal(size=known), rng.integers(1, 4, known).astype(float)


@pytest.mark.parametrize("seed", range(5))
def test_the_posterior_is_scikit_learns(seed):
    apart, kernel, targets, counts = case(seed)
    covariances, known = kernel(apart), len(targets)
    assert np.linalg.eigvalsh(covariances).min() > -1e-9, "else it would be projected"
    process = posterior(covariances[:known, :known], kernel.noise / counts, targets)
    mean, deviation = process.at(covariances[:known, known:])
    reference = GaussianProcessRegressor(
        Given(covariances), alpha=kernel.noise / counts, optimizer=None
    ).fit(np.arange(known)[:, None], targets)
    expected = reference.predict(np.arange(known, len(covariances))[:, None], return_std=True)
    assert np.allclose(mean, expected[0], atol=1e-6)
    assert np.allclose(deviation, expected[1], atol=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_what_still_trains_is_expected_and_makes_sure(seed):
    apart, kernel, targets, counts = case(seed)
    covariances, known = kernel(apart), len(targets)
    noise = kernel.noise / counts
    before = posterior(covariances[:known, :known], noise, targets)
    after = believing(covariances[:-1, :-1], noise, targets, kernel.noise)
    one = before.at(covariances[:known, -1:])
    other = after.at(covariances[:-1, -1:])
    assert one[0] == pytest.approx(other[0], abs=1e-7)
    assert other[1] < one[1]


def test_a_kernel_that_is_not_positive_is_projected():
    covariances = np.array([[1.0, 0.9, -0.9], [0.9, 1.0, 0.9], [-0.9, 0.9, 1.0]])
    assert np.linalg.eigvalsh(covariances).min() < 0
    process = posterior(covariances, np.full(3, 0.01), np.array([1.0, -1.0, 1.0]))
    mean, deviation = process.at(covariances)
    assert np.isfinite([mean, deviation]).all()


@pytest.mark.parametrize(("amplitudes", "weight"), [((0.5, 0.3), 0.004), ((0.1, 2.0), 2.0)])
def test_the_likelihoods_gradient(amplitudes, weight):
    """Also where the kernel is not positive, so that it goes through the projection."""
    apart, kernel, targets, counts = case(7, known=20, others=0)
    weights = np.array([[0.002] * 4, [weight] * 4])
    parameters = np.log([kernel.noise, *amplitudes, *weights.ravel()])

    def value(parameters):
        plain = np.exp(parameters)
        kernel = Kernel(plain[1:3], plain[3:].reshape(2, -1), plain[0])
        return negative_log_likelihood(kernel, apart, targets, counts)

    numeric = [
        (value(parameters + step)[0] - value(parameters - step)[0]) / 2e-5
        for step in 1e-5 * np.eye(len(parameters))
    ]
    assert np.allclose(value(parameters)[1], numeric, rtol=1e-4, atol=1e-5)


def test_the_fit_finds_signal_and_noise():
    """Scores drawn from a process are fitted with about its noise; pure noise as noise."""
    apart, _, _, _ = case(3, known=0, others=90)
    rng = strategies.generator(0)
    weights = np.array([[1 / np.median(one) / 4 for one in apart.lp], [0.0] * 4])
    covariances = Kernel(np.array([1.0, 1e-6]), weights, 0.0)(apart)
    smooth = rng.multivariate_normal(np.zeros(90), covariances, check_valid="ignore")
    kernels = [
        fit(apart, (targets - targets.mean()) / targets.std(), np.ones(90))
        for targets in (smooth, smooth + rng.normal(0, 0.3, 90), rng.normal(size=90))
    ]
    noises = [kernel.noise for kernel in kernels]
    assert noises[0] < 0.05 < noises[1] < 0.3 < noises[2]


def test_the_fit_does_not_run_away():
    """From these scores, in their order, a step of the line search once led to infinity."""
    letters = np.array(
        [
            *"cdcdcdcdcacdcbcdcdcdcdcbcdcbcdcacdcdcbcbcdcdbdcdbdcdcdcdadcdcbbdcdcdddcdbbcdcdcdcdad"
            "ddcdcdcdaacdcdadcbcddacdcdcdbdcdcccdcdddcbcdabcdcccdcdcdaacbcbcdcccacdadbdbdcdcaaacd"
            "dacdcacacccdcdcaddbdcdbdccbdcdccaacbddbccdbbcadbcbdddbddbaaacadbdabbaddcdbdcbabcacad"
        ]
    ).reshape(-1, 6)
    apart = np.stack([(letters[:, None] != letters).sum(-1) / 4] * len(STRUCTURE))
    targets = np.log(np.arange(len(letters)) + 0.5)
    targets = (targets - targets.mean()) / targets.std()
    kernel = fit(Distances(apart, apart / 14.4), targets, np.ones(len(letters)))
    assert np.isfinite([kernel.noise, *kernel.amplitudes, *kernel.weights.ravel()]).all()


def test_expected_improvement_is_the_mean_of_what_lies_below():
    mean, deviation = np.array([0.0, 1.0, -2.0]), np.array([1.0, 0.5, 0.1])
    draws = strategies.generator(1).normal(mean, deviation, size=(200_000, 3))
    simulated = np.maximum(0.3 - draws, 0).mean(0)
    assert np.allclose(expected_improvement(0.3, mean, deviation), simulated, atol=0.01)


# The searcher


def test_nothing_is_trained_twice_until_nothing_is_left():
    space = Space({name: Choice(("a", "b", "c")) for name in "uvw"})
    run = strategies.Search(make("nasbot", space, {"random_first": 4}), trials=40, epochs=1)
    run.run()
    identities = [trial.identity for trial in run.history.trials.values()]
    assert len(identities) == len(set(identities)) == 27


def test_spaces_without_a_graph_are_compared_by_their_decisions():
    space = Space({name: Choice(("a", "b", "c")) for name in "uvwx"})
    rng = strategies.generator(0)
    centre = space.sample(rng)
    graph = partial(decision_chain, space.decisions)
    near, far = space.mutate(centre, rng), Space.sample(space, rng)
    changed = [sum(one[path] != centre[path] for path in centre) for one in (near, far)]
    apart = [distances(graph(centre), graph(one)) for one in (near, far)]
    assert np.allclose(apart[0] * changed[1], apart[1] * changed[0])


@pytest.mark.slow
@pytest.mark.skipif(not TABLE.exists(), reason="the table of NAS-Bench-201 is not there")
def test_it_finds_better_cells_than_random_search():
    table = nasbench201(SPACE, TABLE)
    gained = [reached(table, "nasbot", seed) - reached(table, "random", seed) for seed in range(4)]
    assert np.mean(gained) > 0.001, "a tenth of a point of accuracy"


def reached(table, name, seed):
    plan = Plan(SPACE, make(name, SPACE), RunToEnd(), 40, 200, seed)
    simulation = Simulation(plan, Cluster(table), Budget(trainings=40))
    for _ in simulation:
        pass
    return table.scores(simulation.conductor.recommended.architecture).test
