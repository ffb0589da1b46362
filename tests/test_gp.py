"""The Gaussian process: its algebra against other implementations, its judgement on toys."""

import math
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pytest
import strategies
from contract import PLAIN, SPACES
from functions import Branin
from hypothesis import assume, given, settings
from scipy.integrate import trapezoid
from scipy.optimize import check_grad
from scipy.stats import norm
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, Matern

from raynas.errors import ConfigError, SpaceError
from raynas.rng import proposal_rng
from raynas.searchers import check, make
from raynas.searchers.gp.acquisition import (
    Acquisition,
    best_of,
    expected_improvement,
    noise_factor,
)
from raynas.searchers.gp.climb import climb
from raynas.searchers.gp.kernel import Points
from raynas.searchers.gp.layout import layout
from raynas.searchers.gp.model import Prior, condition, target
from raynas.searchers.gp.observations import intermediate, observe, outcomes
from raynas.searchers.gp.rows import Rows
from raynas.searchers.requirements import Requirements
from raynas.space import Choice, Float, Int, Space
from raynas.trial import Failed, Finished, History, Objective, Proposal, Report, Started


def networks(space, count, seed=0):
    rng = strategies.generator(seed)
    return [space.sample(rng) for _ in range(count)]


def points(space, count, seed=0, lows=(0.0,)):
    architectures = networks(space, count, seed)
    number = {one: at for at, one in enumerate(dict.fromkeys(architectures))}
    rows = layout(space)
    return Points(
        np.stack([rows.row(one) for one in architectures]),
        np.array([number[one] for one in architectures]),
        np.resize(lows, count).astype(float),
    )


def drawn_theta(prior, seed=0):
    return prior.mean + 0.3 * strategies.generator(seed).normal(size=len(prior.mean))


# Rows


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_rows_are_as_wide_as_the_blocks(space):
    rows = layout(space, features=2)
    width = len(rows.row(space.sample(strategies.generator(0)))) + 2
    columns = [at for block in rows.blocks for at in range(width)[block.columns]]
    assert columns == list(range(width))
    for block in rows.blocks:
        assert block.tie.shape == (len(range(width)[block.columns]), len(block.mean))


@given(space=strategies.spaces(), seed=strategies.seeds())
def test_rows_tell_architectures_apart(space, seed):
    one, other = networks(space, 2, seed)
    row = layout(space).row
    alike = one.keys() == other.keys() and all(
        other[path] == (pytest.approx(value) if isinstance(value, float) else value)
        for path, value in one.items()
    )
    assert np.array_equal(row(one), row(other)) <= alike


def test_shares_count_options_wherever_they_stand():
    rows = layout(PLAIN)
    one, other = (
        PLAIN.architecture(dict(zip("uvwxy", text, strict=True))) for text in ("aabcb", "bacba")
    )
    axes = 15
    assert rows.row(one)[axes:] == pytest.approx([0.4, 0.4, 0.2])
    assert rows.row(one)[axes:] == pytest.approx(rows.row(other)[axes:])


# The model


def test_a_number_is_expected_to_tell_as_much_as_a_choice_between_many():
    space = Space({"x": Float(0, 1), "y": Float(1e-4, 1, log=True), "op": Choice(range(50))})
    block = layout(space).blocks[0]
    rows, others = (
        np.stack([layout(space).row(one) for one in networks(space, 4000, seed)])
        for seed in (0, 1)
    )
    apart = np.exp(block.tie @ block.mean) * ((rows - others) ** 2).mean(0)
    x, y, op = apart[0], apart[1], apart[2:].sum()
    assert np.allclose([x, y], op, rtol=0.05)


@pytest.mark.parametrize(
    ("domains", "columns", "radial"),
    [
        ((Float(0, 1), Float(0, 1)), (1, 1), partial(Matern, nu=2.5)),
        ((Choice(("p", "q")), Choice(("r", "s", "t"))), (2, 3), RBF),
    ],
    ids=["numbers", "choices"],
)
def test_the_posterior_is_scikit_learns(domains, columns, radial):
    """One block of two decisions, each with a weight of its own, and no other terms."""
    space = Space(dict(zip("ab", domains, strict=True)))
    prior = Prior.of(layout(space), several=False)
    theta = np.array([0.4, 0.7, 0.2, -0.5, -60.0, math.log(0.05), 0.0])
    seen, asked = points(space, 12), points(space, 40, seed=1)
    asked = replace(asked, network=-1 - asked.network)
    z = strategies.generator(2).normal(size=12)
    prediction = condition(prior.kernel(theta), 0.05, seen, z).predict(asked)
    lengths = np.repeat(np.sqrt(0.5 / np.exp([0.7 + 0.2, 0.7 - 0.5])), columns)
    theirs = GaussianProcessRegressor(
        ConstantKernel(math.exp(0.4), "fixed") * radial(lengths, length_scale_bounds="fixed"),
        alpha=0.05,
        optimizer=None,
    ).fit(seen.x, z)
    mean, deviation = theirs.predict(asked.x, return_std=True)
    assert prediction.mean == pytest.approx(mean, abs=1e-6)
    assert prediction.variance == pytest.approx(deviation**2, abs=1e-6)


@pytest.mark.parametrize("space", ["plain", "conditional", "mixed"])
@pytest.mark.parametrize("lows", [(0.0,), (0.0, 0.9, 0.5)])
def test_the_gradient_is_that_of_finite_differences(space, lows):
    prior = Prior.of(layout(SPACES[space]), several=len(lows) > 1)
    seen = points(SPACES[space], 15, lows=lows)
    gap = strategies.generator(3).exponential(size=15)
    gap[0] = 0.0
    theta = drawn_theta(prior)
    gradient = prior.loss(theta, seen, gap)[1]
    off = check_grad(
        lambda at: prior.loss(at, seen, gap)[0], lambda at: prior.loss(at, seen, gap)[1], theta
    )
    assert off < 1e-4 * np.linalg.norm(gradient)


@settings(max_examples=30)
@given(space=strategies.spaces(), seed=strategies.seeds())
def test_the_kernel_is_positive_definite_on_any_space(space, seed):
    prior = Prior.of(layout(space), several=True)
    kernel = prior.kernel(drawn_theta(prior, seed))
    seen = points(space, 12, seed, lows=(0.0, 0.5))
    gram = kernel.between(seen, seen)
    assert kernel.variance(seen) == pytest.approx(np.diag(gram))
    assert np.linalg.eigvalsh(gram).min() > -1e-9 * np.trace(gram)


def test_the_target_is_standard_and_falls_with_the_gap():
    gap = np.array([0.0, 0.1, 0.2, 1.0, 30.0])
    z = target(gap, math.log(0.3)).z
    assert (np.diff(z) < 0).all()
    assert (z.mean(), z.std()) == pytest.approx((0, 1))
    assert z[0] - z[1] > (z[3] - z[4]) / 10, "differences among the best count"
    assert (target(np.zeros(4), 0.0).z == 0).all(), "nothing differs"


def test_what_runs_changes_no_mean_and_leaves_less_unknown():
    prior = Prior.of(layout(PLAIN), several=False)
    kernel = prior.kernel(prior.mean)
    seen, running = points(PLAIN, 8), points(PLAIN, 3, seed=5)
    running = replace(running, network=100 + running.network)
    z = strategies.generator(0).normal(size=8)
    without = condition(kernel, 0.1, seen, z).predict(running)
    believing = condition(kernel, 0.1, seen, z, running).predict(running)
    assert believing.mean == pytest.approx(without.mean)
    assert (believing.variance < without.variance).all()


def test_equivalent_architectures_are_one_network():
    """Cells that are the same but for the order of their decisions."""
    space = Space(PLAIN.tree, canonical=lambda one: "".join(sorted(map(str, one.values()))))
    history = History()
    for number, text in enumerate(("aabcb", "bacba", "ccccc")):
        train(space, history, dict(zip("uvwxy", text, strict=True)), loss=float(number))
    seen = observe(history, history.finished, full=1)
    assert [(one.network, one.gap) for one in seen] == [(0, 0.0), (0, 1.0), (2, 2.0)]
    assert seen[0].network == seen[1].network != seen[2].network


# What a training is worth


def test_expected_improvement_is_the_integral():
    mean, deviation = np.array([-1.0, 0.0, 0.7]), np.array([0.5, 1.0, 2.0])
    grid = np.linspace(0, 30, 200_001)
    exact = [
        trapezoid(grid * norm.pdf(grid, *both), grid) for both in zip(mean, deviation, strict=True)
    ]
    assert expected_improvement(mean, deviation) == pytest.approx(exact, rel=1e-6)


def test_noise_takes_from_the_worth():
    variance = np.array([0.01, 1.0, 9.0])
    assert noise_factor(variance, 0.0) == pytest.approx(1.0)
    assert (np.diff(noise_factor(variance, 0.1)) > 0).all(), "least where most is known"
    assert noise_factor(variance, 1e9) == pytest.approx(0.0, abs=1e-3)


def test_without_noise_the_worth_is_expected_improvement():
    prior = Prior.of(layout(PLAIN), several=False)
    seen, fresh = points(PLAIN, 6), points(PLAIN, 20, seed=7)
    fresh = replace(fresh, network=-1 - np.arange(20))
    seen = seen.take(np.unique(seen.network, return_index=True)[1])
    z = strategies.generator(1).normal(size=len(seen))
    posterior = condition(prior.kernel(prior.mean), 0.0, seen, z)
    worth = Acquisition(posterior, seen)
    prediction = posterior.predict(fresh)
    plain = expected_improvement(
        prediction.mean - posterior.mean(seen).max(), np.sqrt(prediction.variance)
    )
    assert worth.of_new(fresh) == pytest.approx(plain)
    assert worth.of_repeats() == pytest.approx(0.0, abs=1e-4), "there is nothing to repeat for"


def test_of_equals_up_to_rounding_the_first_counts():
    assert best_of(np.array([-3.0, 1.0, 1.0 + 1e-12, 0.5])) == 1
    assert best_of(np.array([-np.inf, -2.0, -1.0])) == 2


# Climbing


@settings(max_examples=20, deadline=None)
@given(space=strategies.spaces(), seed=strategies.seeds())
def test_climbing_only_adds_untried_networks_of_the_space(space, seed):
    rng = strategies.generator(seed)
    assume(space.size > 1)
    history = History()
    train(space, history, space.sample(rng), loss=0.0)
    (tried,) = history.trials.values()
    start = [Proposal(one) for one in networks(space, 5, seed + 1)]
    start = [one for one in start if space.identity(one.architecture) != tried.identity]
    assume(start)
    found, values = climb(space, history, start, lambda some: np.arange(len(some)), rng)
    identities = [space.identity(one.architecture) for one in found]
    assert len(values) == len(found) == len(set(identities))
    assert {*identities} >= {space.identity(one.architecture) for one in start}
    assert tried.identity not in identities
    for one in found:
        assert space.architecture(one.architecture) == one.architecture


def test_climbing_gets_close_to_the_top_of_a_smooth_hill():
    space = Space({"x": Float(0, 1), "y": Float(1e-4, 1, log=True), "op": Choice(("a", "b", "c"))})
    start = [Proposal(one) for one in networks(space, 50)]

    def height(some):
        rows = [one.architecture for one in some]
        return np.array(
            [
                -((one["x"] - 0.7) ** 2)
                - (math.log10(one["y"]) / 4 + 0.4) ** 2
                + (one["op"] == "b")
                for one in rows
            ]
        )

    _, values = climb(space, History(), start, height, strategies.generator(1))
    assert 1 - values.max() < (1 - height(start).max()) / 10


# The searcher


def train(space, history, values, loss, **options):
    """Let a trial start and end."""
    architecture = space.architecture(values)
    options = {"epochs": 1, "until": options.get("epochs", 1), **options}
    until = options.pop("until")
    number, identity = len(history.trials), space.identity(architecture)
    history.apply(Started(number, architecture, identity, seed=number, **options))
    for epoch in range(1, until + 1):
        history.apply(Report(number, epoch, {"val_accuracy": -loss}, seconds=1.0))
    history.apply(Finished(number, stopped=until < options["epochs"]))


@dataclass
class Noisy:
    """A loss per architecture of ``PLAIN``, and what a training shows of it.

    Decisions add up, each option costs alike wherever it is taken; one pair interacts.
    """

    seed: int
    noise: float = 0.1

    def truth(self, architecture):
        rng = strategies.generator(self.seed)
        cost = dict(zip("abc", rng.normal(size=3), strict=True))
        weight = dict(zip("uvwxy", rng.uniform(0.3, 1, size=5), strict=True))
        total = sum(weight[path] * cost[option] for path, option in architecture.items())
        return total + 0.5 * (architecture["u"] == architecture["y"])

    def run(self, searcher, trainings):
        history = History()
        rng = strategies.generator((7, self.seed))
        for number in range(trainings):
            proposal = searcher.propose(history, proposal_rng(self.seed, number))
            loss = self.truth(proposal.architecture) + self.noise * rng.normal()
            train(PLAIN, history, proposal.architecture, loss, repeat=proposal.repeat)
        return history


def regret(seed, name, trainings=30):
    noisy, searcher = Noisy(seed), make(name, PLAIN)
    history = noisy.run(searcher, trainings)
    chosen = searcher.recommend(history) if name == "gp" else history.best
    return noisy.truth(chosen.architecture) - min(map(noisy.truth, PLAIN))


def test_beats_random_search_on_a_noisy_space():
    ours, random = ([regret(seed, name) for seed in range(8)] for name in ("gp", "random"))
    assert np.mean(ours) < 0.25 * np.mean(random)
    assert sum(a > b for a, b in zip(ours, random, strict=True)) <= 1


def branin_regret(name, seed, trainings=40):
    branin, history = Branin(), History()
    searcher = make(name, branin.space)
    for number in range(trainings):
        proposal = searcher.propose(history, proposal_rng(seed, number))
        train(branin.space, history, proposal.architecture, -branin.height(proposal.architecture))
    return branin.best - branin.height(history.best.architecture)


def test_searches_numbers_better_than_parzen_estimators():
    ours, theirs = ([branin_regret(name, seed) for seed in range(4)] for name in ("gp", "optuna"))
    assert np.mean(ours) < 0.2 * np.mean(theirs)


def test_recommends_what_its_like_confirm_rather_than_what_was_lucky():
    """A bad network has the best score by luck; a good one is nearly as good by right."""
    noisy, history = Noisy(3, noise=0.0), History()
    ranked = sorted(PLAIN, key=noisy.truth)
    for architecture in (*ranked[:8], *ranked[40:240:8]):
        train(PLAIN, history, architecture, noisy.truth(architecture))
    lucky = ranked[150]
    for loss in (noisy.truth(ranked[0]) - 0.02, noisy.truth(lucky), noisy.truth(lucky)):
        train(PLAIN, history, lucky, loss, repeat=True)
    assert history.best.architecture == lucky
    assert make("gp", PLAIN).recommend(history).architecture in ranked[:3]


def test_trains_a_network_again_where_there_is_noise_up_to_a_limit():
    noisy = Noisy(0, noise=0.5).run(make("gp", PLAIN, {"trainings": 2}), 60)
    counts = [len([*noisy.same(identity)]) for identity in {t.identity for t in noisy.finished}]
    assert max(counts) == 2


def test_a_small_space_is_searched_to_its_end():
    space = Space({"a": Choice((1, 2)), "b": Int(0, 1)})
    searcher, history = make("gp", space, {"trainings": 1}), History()
    for number in range(4):
        proposal = searcher.propose(history, proposal_rng(0, number))
        train(space, history, proposal.architecture, loss=float(number))
    assert len({trial.identity for trial in history.finished}) == 4
    assert searcher.propose(history, proposal_rng(0, 4)) is None


def test_what_failed_is_not_tried_again():
    space = Space({"a": Choice(tuple(range(9)))})
    searcher, history = make("gp", space), History()
    for number in range(40):
        proposal = searcher.propose(history, proposal_rng(0, number))
        if proposal is None:
            break
        value = proposal.architecture["a"]
        if value in (0, 3):
            identity = space.identity(proposal.architecture)
            history.apply(Started(number, proposal.architecture, identity, 1, number))
            history.apply(Failed(number, "it fails"))
        else:
            train(space, history, proposal.architecture, -float(value), repeat=proposal.repeat)
    assert len(history.failed) <= 2


def test_trials_stopped_early_count_for_what_they_reached():
    """The gap is that to the best of all after as many epochs, and stopped ones are not chosen."""
    space, history = Space({"a": Choice(tuple(range(9)))}), History()
    for value in range(8):
        train(
            space, history, {"a": value}, loss=10.0 - value, epochs=4, until=4 if value < 3 else 1
        )
    seen = observe(history, history.finished, full=4)
    assert [one.low for one in seen] == [0.0] * 3 + [0.75] * 5
    assert [one.gap for one in seen] == [2, 1, 0, 4, 3, 2, 1, 0]
    assert not intermediate(history, history.finished, full=4)  # not the worse ones were stopped
    searcher = make("gp", space)
    assert not searcher.recommend(history).stopped
    proposal = searcher.propose(history, proposal_rng(0, 8))
    assert proposal.repeat or proposal.architecture["a"] == 8


def test_what_went_on_is_known_where_worse_ones_were_stopped():
    space, history = Space({"a": Choice(tuple(range(9)))}), History()
    for value in range(8):
        train(space, history, {"a": value}, float(value), epochs=4, until=4 if value < 3 else 2)
    seen = intermediate(history, history.finished, full=4)
    assert [(one.architecture["a"], one.low, one.gap) for one in seen] == [
        (0, 0.5, 0.0),
        (1, 0.5, 1.0),
        (2, 0.5, 2.0),
    ]


def test_short_trainings_first_and_full_ones_for_their_share():
    searcher, history = make("gp", PLAIN, {"fidelities": (1, 10), "full_share": 0.4}), History()
    noisy = Noisy(1)
    for number in range(40):
        proposal = searcher.propose(history, proposal_rng(0, number))
        loss = noisy.truth(proposal.architecture)
        train(PLAIN, history, proposal.architecture, loss, epochs=proposal.epochs)
    lengths = [trial.epoch for trial in history.finished]
    assert set(lengths) == {1, 10}
    assert 0.2 < 10 * lengths.count(10) / sum(lengths) <= 0.4
    for trial in history.finished:
        same = [other.epoch for other in history.same(trial.identity)]
        assert same in ([1], [1, 10])


# A user's features


def test_only_the_place_of_a_feature_counts():
    def ranked(features):
        return [Rows(PLAIN, features, 200).of(one).tolist() for one in networks(PLAIN, 20)]

    def ones(architecture):
        return [list(architecture.values()).count("a")]

    plain = ranked(ones)
    assert plain == ranked(lambda one: [math.exp(3 * ones(one)[0]) - 9])
    assert {0.0 <= row[-1] <= 1.0 for row in plain} == {True}


def test_a_feature_that_is_no_number_has_the_lowest_place():
    rows = Rows(PLAIN, lambda one: [math.nan if one["u"] == "a" else len(set(one.values()))], 200)
    nan, number = (
        min(rows.places(one)[0] for one in PLAIN if (one["u"] == "a") == no)
        for no in (True, False)
    )
    assert nan < number


def test_features_guide_the_first_trainings_and_the_model():
    noisy = Noisy(5, noise=0.0)
    searcher = make("gp", PLAIN, {"features": lambda one: [-noisy.truth(one)]})
    losses = sorted(map(noisy.truth, PLAIN))
    history = noisy.run(searcher, 12)
    assert noisy.truth(history.trials[0].architecture) < losses[len(losses) // 20]
    assert noisy.truth(searcher.recommend(history).architecture) == losses[0]


# Refusals


@pytest.mark.parametrize("name", ["gp", "auto"])
def test_full_trainings_are_the_runs(name):
    searcher = make(name, PLAIN, {"fidelities": (3, 9)})
    check(searcher, Requirements((Objective(),), epochs=9))
    said = r"fidelities \[3, 9\] and 27 epochs"
    with pytest.raises(ConfigError, match=said):
        check(searcher, Requirements((Objective(),), epochs=27))


@pytest.mark.parametrize(
    "options",
    [
        {"trainings": 0},
        {"pool": 0},
        {"fidelities": (9, 3)},
        {"fidelities": (1, 9), "full_share": 0.0},
    ],
)
def test_unusable_options(options):
    with pytest.raises(ConfigError, match="gp needs"):
        make("gp", PLAIN, options)


def test_a_space_of_one_architecture():
    with pytest.raises(SpaceError, match="got a space of one"):
        make("gp", SPACES["single"])


def test_what_fails_is_avoided_and_its_like_too():
    """The best of the space, by what is learnt of the others, cannot be trained."""
    space = Space({"width": Choice((8, 16, 32, 64)), "depth": Int(1, 8), "x": Float(0, 1)})

    def score(one):
        return one["width"] / 64 + one["depth"] / 16 - (one["x"] - 0.3) ** 2

    def failures(searcher, seed):
        history, failed = History(), []
        for number in range(50):
            proposal = searcher.propose(history, proposal_rng(seed, number))
            values = proposal.architecture
            failed.append(values["width"] == 64)
            if not failed[-1]:
                train(space, history, values, loss=-score(values))
                continue
            identity = space.identity(values)
            history.apply(Started(number, values, identity, epochs=1, seed=number))
            history.apply(Failed(number, "out of memory"))
        best = score(searcher.recommend(history).architecture)
        return sum(failed[25:]), best

    outcomes = [failures(make("auto", space), seed) for seed in range(3)]
    assert np.mean([late for late, _ in outcomes]) < 25 / 4, "less than by chance"
    assert min(best for _, best in outcomes) > 0.9


def test_what_is_lost_says_nothing_of_what_can_be_trained():
    history = History()
    for number, text in enumerate(("aaaaa", "bbbbb", "ccccc")):
        train(PLAIN, history, dict(zip("uvwxy", text, strict=True)), loss=float(number))
    network = PLAIN.architecture(dict(zip("uvwxy", "abcab", strict=True)))
    history.apply(Started(3, network, PLAIN.identity(network), epochs=1, seed=3))
    history.apply(Failed(3, "its worker was lost", cause="circumstances"))
    assert [one.gap for one in outcomes(history)] == [0.0, 0.0, 0.0]
