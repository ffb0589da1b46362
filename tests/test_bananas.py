"""BANANAS, and what it shares with NPENAS: evidence, encoding, ensemble, candidates."""

import math
from dataclasses import dataclass, replace
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
import strategies
import torch
from hypothesis import given
from hypothesis import strategies as st

from raynas.errors import ConfigError
from raynas.execution.plan import Plan
from raynas.execution.simulate import Budget, Cluster, Simulation
from raynas.schedulers.run_to_end import RunToEnd
from raynas.searchers import make, recommended
from raynas.searchers.mutants import anything, candidates
from raynas.searchers.predictor import ensemble as perceptrons
from raynas.searchers.predictor.encoding import Encoding, paths
from raynas.searchers.predictor.ensemble import Ensemble, train
from raynas.searchers.predictor.surrogate import learn, most_convincing
from raynas.searchers.training_set import (
    Memo,
    deviation,
    due,
    ended,
    training_set,
    training_trials,
)
from raynas.space import Choice, Int, Repeat, Space
from raynas.space.graph import Graph, Layer
from raynas.tables.nasbench201 import nasbench201
from raynas.trial import Failed, Finished, History, Objective, Report, Resumed, Started
from search_spaces import darts, mobile
from search_spaces.nasbench201 import SPACE

TABLE = Path(__file__).resolve().parents[2] / "shared" / "benchdata" / "nb201.npz"
LETTERS = Space({name: Choice(("a", "b", "c", "d")) for name in "uvwxyz"})
LOSS = (Objective("loss", "min"),)
INF = math.inf


def told(*losses, names=None, networks=None, stopped_after=None):
    """A history of trials that ended one after the other with these losses."""
    history = History(LOSS)
    rng = strategies.generator(0)
    names = names or [str(number) for number in range(len(losses))]
    networks = networks or [LETTERS.sample(rng) for _ in losses]
    for number, loss in enumerate(losses):
        after = (stopped_after or {}).get(number)
        history.apply(Started(number, networks[number], names[number], 4, 0, repeat=True))
        history.apply(Report(number, after or 4, {"loss": loss}))
        history.apply(Finished(number, stopped=after is not None))
    return history


# Evidence


@given(st.lists(st.integers(-50, 50), min_size=2, max_size=20))
def test_only_the_order_of_losses_counts(losses):
    known = training_set(told(*losses).finished)
    curved = training_set(told(*np.arctan(losses) * 7).finished)
    assert np.allclose(known.targets, curved.targets)
    assert known.targets.mean() == pytest.approx(0, abs=1e-9)
    assert known.targets.std() == pytest.approx(float(len(set(losses)) > 1), abs=1e-9)
    for i, one in enumerate(losses):
        for j, other in enumerate(losses):
            assert (one < other) == (known.targets[i] < known.targets[j] - 1e-12)


def test_losses_that_are_equal_differ_in_nothing_but_rounding():
    for count in range(2, 60):
        same = training_set(told(*[0.07] * count).finished)
        assert np.allclose(same.targets, 0, atol=1e-9)
        assert deviation(np.full(count, 0.07)) == 1.0
    assert deviation(np.array([0.07, 0.070001])) == pytest.approx(5e-7)


def test_who_was_stopped_early_is_worse_than_who_went_on():
    known = training_set(told(0.1, 0.9, 0.8, stopped_after={0: 2}).finished)
    assert known.best(3) == [2, 1, 0]
    assert known.contenders() == [2, 1]


def test_trainings_of_one_network_are_one_row():
    history = told(0.4, 0.1, 0.2, 0.9, names=["x", "y", "x", "z"])
    history.apply(Started(4, history.trials[1].architecture, "y", 4, 0))
    history.apply(Finished(4, answered_by=1))
    known = training_set(history.finished)
    assert [trial.number for trial in known.trials] == [2, 1, 3]
    assert known.counts.tolist() == [2, 1, 1], "who was answered was not trained"
    places = np.log([3 / 4 - 1 / 8, 1 / 4 - 1 / 8, 2 / 4 - 1 / 8, 4 / 4 - 1 / 8])
    raw = np.array([places[[0, 2]].mean(), places[1], places[3]])
    assert known.targets == pytest.approx((raw - raw.mean()) / raw.std())


def failed(history, architecture, name, **more):
    """Add a failed trial to a history."""
    number = len(history.trials)
    history.apply(Started(number, architecture, name, 4, 0, repeat=True))
    history.apply(Failed(number, "memory ran out", **more))


def test_a_failed_network_has_the_place_behind_the_worst():
    history = told(0.4, 0.1, 0.9, names=["x", "y", "z"])
    rng = strategies.generator(1)
    for name in ("p", "q", "y"):
        failed(history, LETTERS.sample(rng), name)
    failed(history, LETTERS.sample(rng), "r", cause="circumstances")
    failed(history, LETTERS.sample(rng), "p", answered_by=3)
    known = training_set(ended(history))
    assert [trial.number for trial in known.trials] == [0, 1, 2, 3, 4]
    assert known.counts.tolist() == [1, 2, 1, 1, 1], "p was answered, y failed the second time"
    places = np.log([1.5, 0.5, 2.5, 3.5, 3.5])
    places[1] = (places[1] + np.log(3.5)) / 2
    assert known.targets == pytest.approx((places - places.mean()) / places.std())
    assert known.best(9) == known.contenders() == [1, 0, 2], "who has no score is never chosen"
    assert known.only([1, 2, 4]).best(9) == [0, 1]


def test_what_was_shown_before_failing_counts():
    history = told(0.4, 0.1, stopped_after={0: 2})
    history.apply(Resumed(0))
    history.apply(Failed(0, "diverged"))
    known = training_set(ended(history))
    assert [trial.number for trial in known.trials] == [0, 1]
    assert known.scored == 2


@given(st.integers(1, 40), st.integers(0, 30), st.integers(10, 12))
def test_lessons_are_the_same_until_a_tenth_more_has_ended(finished, failures, first):
    if finished < first:
        return
    history = told(*range(finished))
    for _ in range(failures):
        failed(history, LETTERS.sample(strategies.generator(0)), "same")
    learnt = training_trials(history, first)
    assert len(learnt) == due(finished, first) + (due(failures, 1) if failures else 0)
    assert [trial.number for trial in learnt[: due(finished, first)]] == [
        *range(due(finished, first))
    ]


@pytest.mark.parametrize("losses", [(INF, 0.3, INF), (INF, INF), (0.1, -INF), (INF,)])
def test_infinite_losses_are_the_last_places(losses):
    known = training_set(told(*losses).finished)
    assert np.isfinite(known.targets).all()
    assert known.best(9) == sorted(range(len(losses)), key=lambda i: losses[i])
    contenders = known.contenders()
    assert [losses[row] for row in contenders] == sorted(
        [loss for loss in losses if math.isfinite(loss)] or losses
    )


@dataclass(frozen=True)
class Torn(strategies.Toy):
    """A tenth of the networks diverges, and every network that begins with an ``a`` fails."""

    def fails_after(self, architecture):
        return 0 if architecture["u"] == "a" else math.inf

    def metrics(self, architecture, epoch):
        diverged = self._draw("diverges", architecture.to_json()) < 0.1
        accuracy = -INF if diverged else super().metrics(architecture, epoch)["val_accuracy"]
        return {"val_accuracy": accuracy}


@pytest.mark.parametrize("name", ["bananas", "npenas", "nasbot"])
def test_where_networks_fail_is_soon_left_alone(name):
    shares, random = ([torn(searcher, seed) for seed in range(3)] for searcher in (name, "random"))
    assert np.mean(shares) < np.mean(random) / 4


def torn(name, seed):
    """Return which share of the later proposals lies where all fail."""
    run = strategies.Search(make(name, LETTERS), seed=seed, trials=50, epochs=1)
    run.toy = Torn(LETTERS, seed)
    run.run()
    chosen = recommended(run.searcher, run.history)
    assert math.isfinite(chosen.loss)
    assert isinstance(chosen.outcome, Finished)
    late = [trial for trial in run.history.trials.values() if trial.number >= 20]
    return np.mean([trial.architecture["u"] == "a" for trial in late])


@given(finished=st.integers(1, 2000), first=st.integers(1, 50))
def test_a_model_is_made_anew_with_every_tenth_of_trials(finished, first):
    if finished < first:
        return
    made = due(finished, first)
    assert first <= made <= finished
    assert finished - made < max(1, made / 10)
    assert due(made, first) == made, "the same for all until the next"


def test_a_memo_notices_another_history():
    made = []
    memo = Memo(lambda trials: made.append(len(trials)) or len(made))
    one, other = told(0.1, 0.2).finished, told(0.1, 0.2).finished
    assert [memo.of(one), memo.of(list(one)), memo.of(one[:1]), memo.of(one)] == [1, 1, 2, 3]
    assert memo.of(other) == 4


# Encoding


def test_paths_are_those_of_the_graph():
    rng = strategies.generator(4)
    for _ in range(40):
        graph = SPACE.graph(SPACE.sample(rng))
        net = nx.DiGraph(graph.edges)
        last = len(graph.layers) - 1
        expected = {
            tuple((graph.layers[at].kind, graph.layers[at].variant) for at in path)
            for path in nx.all_simple_paths(net, 0, last)
        }
        found = paths(graph)
        assert set(found) == expected
        assert len(found) == len(expected)


def test_of_very_many_paths_the_short_ones_are_kept():
    """Fourteen layers of which each reads all before it have 2^12 paths."""
    layers = tuple(Layer(str(place), 1.0) for place in range(14))
    edges = tuple((one, other) for other in range(14) for one in range(other))
    found = paths(Graph(layers, edges))
    assert len(found) == 200
    assert (("0", None), ("13", None)) in found


def test_the_encoding_is_centred_and_holds_what_recurs():
    rng = strategies.generator(1)
    networks = [SPACE.sample(rng) for _ in range(30)]
    encoding = Encoding(SPACE, networks)
    rows = encoding.rows(networks)
    assert np.allclose(rows.mean(0), 0)
    seen = [set(paths(SPACE.graph(network))) for network in networks]
    often = {path for own in seen for path in own if sum(path in one for one in seen) >= 2}
    assert rows.shape == (30, 2 * 30 + len(often))
    has = rows[:, 60:] - rows[:, 60:].min(0)
    assert (has / has.max()).sum(1) == pytest.approx([len(own & often) for own in seen])


@pytest.mark.parametrize("space", [SPACE, darts.SPACE])
def test_many_paths_are_no_louder_than_few(space):
    rng = strategies.generator(1)
    networks = [space.sample(rng) for _ in range(60)]
    energy = {
        kind: np.square(Encoding(space, networks, kind).rows(networks)).sum(1).mean()
        for kind in ("path", "vector", "both")
    }
    assert energy["path"] <= 2 + 1e-9
    assert energy["both"] == pytest.approx(energy["path"] + 0.3**2 * energy["vector"])


def test_where_no_path_recurs_the_decisions_speak_as_if_alone():
    rng = strategies.generator(1)
    networks = [mobile.SPACE.sample(rng) for _ in range(20)]
    alone, both, none = (
        Encoding(mobile.SPACE, networks, kind).rows(networks)
        for kind in ("vector", "both", "path")
    )
    assert (alone == both).all()
    assert none.shape == (20, 0)


@pytest.mark.parametrize("encoding", ["path", "vector", "both"])
def test_what_is_seen_is_an_option_where_there_is_a_graph(encoding):
    searcher = make("bananas", SPACE, {"encoding": encoding, "random_first": 4})
    run = strategies.Search(searcher, trials=12, epochs=1)
    run.run()
    surrogate = learn(SPACE, run.history.finished, 5, encoding)
    widths = {"path": 0, "vector": 60, "both": 60}
    columns = surrogate.encoding.rows([SPACE.sample(strategies.generator(0))]).shape[1]
    assert columns == 60 if encoding == "vector" else columns > widths[encoding]
    if encoding == "vector":
        assert make("bananas", LETTERS, {"encoding": encoding}).encoding == "vector"
        return
    with pytest.raises(ConfigError, match=f"'{encoding}' needs a space with a graph"):
        make("bananas", LETTERS, {"encoding": encoding})


@given(space=strategies.spaces(), seed=strategies.seeds())
def test_different_architectures_have_different_rows(space, seed):
    rng = strategies.generator(seed)
    networks = [space.sample(rng) for _ in range(4)]
    rows = Encoding(space, networks[:2]).rows(networks)
    for one, other in zip(range(3), range(1, 4), strict=True):
        same = np.allclose(rows[one], rows[other], atol=0)
        assert same or networks[one] != networks[other]
    assert np.isfinite(rows).all()


def test_an_inactive_decision_is_not_a_small_number():
    space = Space({"n": Repeat(Int(0, 9), 0, 1)})
    networks = [space.architecture(values) for values in ({"n": 0}, {"n": 1, "n.0": 0})]
    rows = Encoding(space, networks).rows(networks)
    assert np.abs(rows[0] - rows[1]).sum() == 2, "one for the count, one for being active"


# Ensemble


def test_the_gradient_is_torchs():
    rng = strategies.generator(0)
    inputs = rng.normal(size=(20, 7)).astype(np.float32)
    targets = rng.normal(size=20).astype(np.float32)
    _, layers = perceptrons._allocate((7, 6, 5, 1), 3)
    _, gradients = perceptrons._allocate((7, 6, 5, 1), 3)
    for weights, biases in layers:
        weights[...], biases[...] = rng.normal(size=weights.shape), rng.normal(size=biases.shape)
    seen = rng.random((3, 20)) < 0.7
    perceptrons._backward(layers, gradients, inputs, targets, seen)
    theirs = [[torch.tensor(part, requires_grad=True) for part in layer] for layer in layers]
    passed = torch.tensor(inputs)
    for weights, biases in theirs[:-1]:
        passed = torch.relu(passed @ weights + biases)
    predicted = (passed @ theirs[-1][0] + theirs[-1][1])[..., 0]
    missed = (predicted - torch.tensor(targets)).abs() * torch.tensor(seen)
    missed.mean(1).sum().backward()
    assert np.allclose(
        Ensemble(layers, np.zeros(20)).predict(inputs), predicted.detach(), atol=1e-5
    )
    for mine, torchs in zip(gradients, theirs, strict=True):
        for one, other in zip(mine, torchs, strict=True):
            assert np.allclose(one, other.grad, atol=1e-5)


@pytest.mark.parametrize("networks", [80, 600])
def test_it_learns_what_decisions_contribute(networks):
    rng = strategies.generator(1)
    effects = rng.normal(size=24)
    chosen = rng.integers(4, size=(networks + 200, 6))
    inputs = np.eye(4)[chosen].reshape(len(chosen), 24) - 0.25
    targets = inputs @ effects
    targets /= targets.std()
    fitted = train(inputs[:networks], targets[:networks], rng, members=5)
    predicted = fitted.predict(inputs[networks:])
    assert predicted.shape == (5, 200)
    assert np.corrcoef(predicted.mean(0), targets[networks:])[0, 1] > 0.95
    assert predicted.std(0).min() > 0, "members do not agree"


def test_each_network_is_held_out_from_one_member():
    """What no input tells, a member knows of the networks it has seen, and of no other."""
    rng = strategies.generator(5)
    inputs, targets = np.eye(40) - 1 / 40, rng.choice([-1.0, 1.0], 40)
    fitted = train(inputs, targets, rng, members=4)
    missed = np.abs(fitted.predict(inputs) - targets)
    held_out = fitted.strangers == np.arange(4)[:, None]
    assert held_out.sum(1).tolist() == [10] * 4
    assert missed[~held_out].max() < 0.5 < 0.8 < missed[held_out].mean()


def test_it_learns_nothing_where_there_is_nothing_to_learn():
    """The negative control: scores dealt out anew are not predicted."""
    rng = strategies.generator(2)
    run = strategies.Search(make("random", LETTERS), trials=150, failing=0)
    run.run()
    finished = run.history.finished
    learnt, held = finished[:100], finished[100:]
    dealt = rng.permutation(len(learnt))
    shuffled = [
        replace(trial, losses=learnt[other].losses)
        for trial, other in zip(learnt, dealt.tolist(), strict=True)
    ]
    losses = [trial.loss for trial in held]
    networks = [trial.architecture for trial in held]
    found = [
        np.corrcoef(learn(LETTERS, trials, 5).predict(networks).mean(0), losses)[0, 1]
        for trials in (learnt, shuffled)
    ]
    assert found[0] > 0.8 > 0.4 > abs(found[1])


# Candidates


@given(seed=strategies.seeds())
def test_candidates_are_new_and_near(seed):
    run = strategies.Search(make("random", LETTERS), seed=seed, trials=30, workers=8)
    run.run()
    rng = strategies.generator(seed)
    parents = run.history.finished[:3]
    found = candidates(LETTERS, run.history, parents, rng, 40)
    identities = [LETTERS.identity(one.architecture) for one in found]
    assert len(set(identities)) == len(found) == 40
    tried = {trial.identity for trial in run.history.trials.values()}
    assert not tried & set(identities)
    near = [one for one in found if one.parent is not None]
    assert {one.parent for one in near} <= {parent.number for parent in parents}
    for one in near:
        parent = run.history.trials[one.parent].architecture
        assert 1 <= sum(one.architecture[path] != parent[path] for path in parent) <= 5
    assert len(near) >= 10  # 29 on average, with a standard deviation of 3


def test_some_candidates_are_near_to_nothing():
    run = strategies.Search(make("random", LETTERS), seed=0, trials=30, workers=8)
    run.run()
    drawn = [
        candidates(LETTERS, run.history, run.history.finished[:3], strategies.generator(seed), 40)
        for seed in range(5)
    ]
    near = sum(one.parent is not None for found in drawn for one in found)
    assert 120 < near < 180  # of 200; 145 are expected


@pytest.mark.parametrize("left", [1, 0])
def test_the_last_network_of_a_small_space_is_found(left):
    space = Space({name: Choice(("a", "b", "c")) for name in "uvwx"})
    history = History(LOSS)
    for number, architecture in enumerate([*space][: 81 - left]):
        history.apply(Started(number, architecture, space.identity(architecture), 1, 0))
    found = anything(space, history, strategies.generator(0))
    assert (found and found.architecture) == ([*space][-1] if left else None)


# The searcher


@pytest.mark.parametrize("name", ["bananas", "npenas"])
def test_nothing_is_trained_twice_until_nothing_is_left(name):
    space = Space({letter: Choice(("a", "b", "c")) for letter in "uvw"})
    run = strategies.Search(make(name, space, {"random_first": 4}), trials=40, epochs=1)
    run.run()
    identities = [trial.identity for trial in run.history.trials.values()]
    assert len(identities) == len(set(identities)) == 27


def test_each_network_is_drawn_from_the_ensembles_mean_and_deviation():
    run = strategies.Search(make("random", LETTERS), trials=24, failing=0)
    run.run()
    history, searcher = run.history, make("bananas", LETTERS)
    proposal = searcher.propose(history, strategies.generator(8))
    rng = strategies.generator(8)
    known = training_set(history.finished)
    parents = [known.trials[row] for row in known.best(searcher.parents)]
    found = candidates(LETTERS, history, parents, rng, searcher.candidates)
    surrogate = learn(LETTERS, training_trials(history, searcher.random_first), searcher.members)
    predicted = surrogate.predict([one.architecture for one in found])
    draws = predicted.mean(0) + predicted.std(0) * rng.standard_normal(len(found))
    assert proposal == found[int(draws.argmin())]


@pytest.mark.parametrize("name", ["bananas", "npenas", "nasbot"])
def test_options_are_checked(name):
    with pytest.raises(ConfigError, match=r"random_first.*got 0"):
        make(name, LETTERS, {"random_first": 0})


def test_a_lucky_score_does_not_convince():
    """Of networks scored once each, with noise, a better one is handed over."""
    chosen, luckiest = [], []
    for seed in range(80):
        rng = strategies.generator(seed)
        toy = strategies.Toy(LETTERS, seed)
        networks = [LETTERS.sample(rng) for _ in range(60)]
        losses = [rng.normal(-toy.quality(network), 0.1) for network in networks]
        history = told(*losses, networks=networks)
        convincing = most_convincing(
            training_set(history.finished), learn(LETTERS, history.finished, members=5)
        )
        chosen.append(toy.quality(convincing.architecture))
        luckiest.append(toy.quality(history.best.architecture))
    assert np.mean(chosen) > np.mean(luckiest) + 0.01


@pytest.mark.slow
@pytest.mark.skipif(not TABLE.exists(), reason="the table of NAS-Bench-201 is not there")
@pytest.mark.parametrize("name", ["bananas", "npenas"])
def test_it_finds_better_cells_than_random_search(name):
    table = nasbench201(SPACE, TABLE)
    gained = [reached(table, name, seed) - reached(table, "random", seed) for seed in range(6)]
    assert np.mean(gained) > 0.001, "a tenth of a point of accuracy"


def reached(table, name, seed):
    plan = Plan(SPACE, make(name, SPACE), RunToEnd(), 60, 200, seed)
    simulation = Simulation(plan, Cluster(table), Budget(trainings=60))
    for _ in simulation:
        pass
    return table.scores(simulation.conductor.recommended.architecture).test
