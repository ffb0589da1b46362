"""BOHB: its densities, what it learns from, and that it finds what is good."""

import math

import numpy as np
import pytest
import strategies
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare, kstest, truncnorm

from raynas.errors import ConfigError
from raynas.searchers import make
from raynas.searchers.density import Axes, Density
from raynas.space import Choice, Float, Int, Space
from raynas.trial import Failed, Finished, Report, Started

LETTERS = Space({name: Choice(("a", "b", "c", "d")) for name in "uvwxyz"})
TREE = Space(
    {
        "op": Choice({"conv": {"k": Choice((3, 5, 7), (1, 2, 3))}, "pool": {}}, (2, 1)),
        "cells": Choice({"one": {"a": Choice(("x", "y"))}, "two": {"b": Choice((0, 1))}}),
        "fixed": Choice((1,)),
    }
)
MIXED = Space({"op": Choice(("a", "b", "c")), "lr": Float(0.1, 10, log=True)})


# Densities


def around(space, seed, count=5):
    rng = strategies.generator(seed)
    axes = Axes(space)
    return axes, Density.around(axes, [space.sample(rng) for _ in range(count)])


def test_a_density_by_hand():
    """An option and a number of two observations: the mean of the products of their kernels."""
    axes = Axes(MIXED)
    seen = [MIXED.architecture({"op": op, "lr": lr}) for op, lr in (("a", 0.1), ("b", 1.0))]
    density = Density.around(axes, seen)
    scale = 1.06 * 2 ** (-1 / 6)
    away, deviation = scale * 0.5, scale * 0.25  # indicators half the time on; places 0 and 1/2
    assert density.widths == pytest.approx([away, deviation])
    point = MIXED.architecture({"op": "a", "lr": 10 ** (-0.5)})
    kernels = [
        share * truncnorm.pdf(0.25, -mean / deviation, (1 - mean) / deviation, mean, deviation)
        for share, mean in ((1 - away, 0.0), (away / 2, 0.5))
    ]
    assert math.exp(density.log(axes.rows([point]))[0]) == pytest.approx(sum(kernels) / 2)


@given(strategies.seeds(), st.integers(1, 6), st.floats(0.01, 100))
def test_a_density_sums_to_one_where_decisions_depend_on_others(seed, count, factor):
    axes, density = around(TREE, seed, count)
    shares = np.exp(density.wider(factor).log(axes.rows(TREE)))
    assert shares.sum() == pytest.approx(1)


@given(strategies.seeds(), st.integers(1, 6))
def test_a_density_of_numbers_integrates_to_one(seed, count):
    space = Space({"x": Float(-1, 1), "y": Choice({"z": {"n": Float(1, 2)}, "none": None})})
    _, density = around(space, seed, count)
    density = density.wider(50)  # or the grid would be too coarse
    grid = (np.arange(300) + 0.5) / 300
    x, n = (axis.ravel() for axis in np.meshgrid(grid, grid))
    with_n = np.stack([x, np.zeros_like(x), n], 1)
    without = np.stack([grid, np.ones_like(grid), np.full_like(grid, np.nan)], 1)
    assert np.exp(density.log(with_n)).mean() + np.exp(
        density.log(without)
    ).mean() == pytest.approx(1, abs=1e-3)


def test_draws_are_as_likely_as_the_density_says():
    axes, density = around(TREE, seed=5, count=3)
    drawn = density.draw(20_000, strategies.generator(1))
    every = list(TREE)
    expected = 20_000 * np.exp(density.log(axes.rows(every)))
    assert chisquare([drawn.count(one) for one in every], expected).pvalue > 0.01


def test_drawn_numbers_follow_the_truncated_gaussian():
    axes = Axes(MIXED)
    lone = Density(axes, np.array([[0.0, 0.1]]), np.array([0.1, 0.3]))
    places = axes.rows(lone.draw(5000, strategies.generator(2)))[:, 1]
    assert kstest(places, truncnorm(-0.1 / 0.3, 0.9 / 0.3, 0.1, 0.3).cdf).pvalue > 0.01


@given(space=strategies.spaces(), seed=strategies.seeds())
@settings(max_examples=30)
def test_draws_lie_in_the_space_and_have_a_density(space, seed):
    axes, density = around(space, seed)
    drawn = density.wider(3).draw(8, strategies.generator(seed))
    assert all(space.architecture(one) == one for one in drawn)
    assert np.isfinite(density.log(axes.rows(drawn))).all()


def test_the_order_of_options_does_not_matter():
    turned = Space({name: Choice(("d", "b", "a", "c")) for name in "uvwxyz"})
    rng = strategies.generator(3)
    seen, asked = ([LETTERS.sample(rng) for _ in range(9)] for _ in range(2))
    logs = [Density.around(a, seen).log(a.rows(asked)) for a in (Axes(LETTERS), Axes(turned))]
    assert logs[0] == pytest.approx(logs[1])


# What it learns from


def history_of(lengths, failed=(), lost=()):
    """Trials of random letters that went on so long; the later they begin, the lower the loss."""
    rng, events = strategies.generator(4), []
    different = dict.fromkeys(LETTERS.sample(rng) for _ in range(2 * len(lengths)))
    for number, (length, architecture) in enumerate(zip(lengths, different, strict=False)):
        identity = LETTERS.identity(architecture)
        events.append(Started(number, architecture, identity, 9, seed=0))
        events += [
            Report(number, epoch, {"val_accuracy": number / 100}) for epoch in range(1, length + 1)
        ]
        if number in (*failed, *lost):
            cause = "circumstances" if number in lost else "architecture"
            events.append(Failed(number, "why not", cause=cause))
        elif number % 2:  # the others still run
            events.append(Finished(number))
    return strategies.replay(events)


def numbers(history, architectures):
    by_architecture = {trial.architecture: n for n, trial in history.trials.items()}
    return [by_architecture[one] for one in architectures]


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [
        ([9] * 5 + [3] * 20, [4, 3, 2, 1, 0]),
        ([3] * 20 + [9] * 5, [24, 23, 22, 21, 20]),
        ([9] * 4 + [3] * 20, range(23, -1, -1)),
        ([9] * 2 + [4] * 3 + [3] * 20, [4, 3, 2, 1, 0]),
        ([1] * 4, []),
    ],
)
def test_it_learns_from_the_largest_budget_with_enough_networks(lengths, expected):
    history = history_of(lengths)
    searcher = make("bohb", LETTERS, {"min_points": 3})
    assert numbers(history, searcher._ranked(history)) == list(expected)


def test_a_budget_needs_two_more_networks_than_a_density():
    searcher = make("bohb", LETTERS)
    assert not searcher._ranked(history_of([1] * 8))
    assert len(searcher._ranked(history_of([1] * 9))) == 9


@pytest.mark.parametrize(
    ("count", "good", "bad"), [(9, 7, 7), (20, 7, 13), (40, 7, 33), (100, 15, 85)]
)
def test_good_and_bad_ones_are_as_many_as_in_the_paper(count, good, bad):
    """Equation 3, with seven to a density."""
    history = history_of([1] * count)
    searcher = make("bohb", LETTERS)
    best, worst = searcher._split(searcher._ranked(history), history)
    assert numbers(history, best) == list(range(count - 1, count - 1 - good, -1))
    assert numbers(history, worst) == list(range(bad - 1, -1, -1))


def test_what_failed_is_bad_unless_its_worker_was_lost():
    history = history_of([1] * 12, failed=(3, 11), lost=(5, 10))
    searcher = make("bohb", LETTERS, {"min_points": 2})
    best, worst = searcher._split(searcher._ranked(history), history)
    assert numbers(history, best) == [9, 8]
    assert numbers(history, worst) == [7, 6, 4, 2, 1, 0, 3, 11]


# What it finds


OPERATION = {
    "conv": {"k": Choice((3, 5, 7)), "groups": Int(1, 4)},
    "pool": {"stride": Choice((2, 3, 4))},
    "id": {},
}


@pytest.mark.parametrize(
    ("space", "count"),
    [
        (LETTERS, 60),
        (Space({"x": Float(0, 1), "n": Int(1, 99, log=True), "op": Choice(tuple("abcde"))}), 60),
        (Space({name: Choice(OPERATION) for name in "abcd"}), 90),
    ],
    ids=["letters", "numbers", "conditional"],
)
def test_under_hyperband_it_proposes_better_networks_than_chance(space, count):
    """By the mean quality of the last third of all proposals, of which a third are random."""

    def late(name, seed):
        options = {"trials": count, "workers": 2, "epochs": 9, "scheduler": "hyperband"}
        run = strategies.Search(make(name, space), seed, **options)
        run.run()
        trials = list(run.history.trials.values())[2 * count // 3 :]
        return np.mean([run.toy.quality(trial.architecture) for trial in trials])

    gains = np.array([late("bohb", seed) - late("random", seed) for seed in range(8)])
    assert gains.mean() > 3 * gains.std(ddof=1) / math.sqrt(len(gains))
    assert gains.mean() > 0.02


def test_its_share_of_random_networks_is_as_asked():
    """With everything random it proposes what random search would, and with nothing it learns."""
    history = history_of([1] * 30)
    chance = make("bohb", LETTERS, {"random_fraction": 1.0})
    rng = strategies.generator(6)
    rng.random()
    assert chance.propose(history, strategies.generator(6)).architecture == LETTERS.sample(rng)
    model = make("bohb", LETTERS, {"random_fraction": 0.0})
    good, bad = (
        Density.around(Axes(LETTERS), some)
        for some in model._split(model._ranked(history), history)
    )
    rows = Axes(LETTERS).rows(
        model.propose(history, strategies.generator(seed)).architecture for seed in range(20)
    )
    assert (good.log(rows) > bad.log(rows)).all()


def test_it_draws_from_the_widened_density_of_the_good_ones():
    """With one draw nothing is compared: what is drawn is proposed, unless it is known."""
    history = history_of([1] * 30)
    options = {"random_fraction": 0.0, "samples": 1, "bandwidth_factor": 2.0}
    model = make("bohb", LETTERS, options)
    good, _ = model._split(model._ranked(history), history)
    wide = Density.around(Axes(LETTERS), good).wider(2.0)
    known, new = {trial.architecture for trial in history.trials.values()}, 0
    for seed in range(20):
        rng = strategies.generator(seed)
        rng.random()  # whether to draw from the prior
        (drawn,) = wide.draw(1, rng)
        if drawn not in known:
            new += 1
            assert model.propose(history, strategies.generator(seed)).architecture == drawn
    assert new > 10


def test_a_share_in_between_is_random_as_often_as_asked():
    history = history_of([1] * 30)
    chance, some, model = (
        make("bohb", LETTERS, {"random_fraction": share}) for share in (1.0, 0.3, 0.0)
    )
    drawn = []
    for seed in range(60):
        drawn.append(strategies.generator(seed).random() < 0.3)
        expected = (chance if drawn[-1] else model).propose(history, strategies.generator(seed))
        assert some.propose(history, strategies.generator(seed)) == expected
    assert {True, False} == {*drawn}


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("samples", 0, "samples and min_points >= 1, got 0"),
        ("min_points", 0, "got 64 and 0"),
        ("top_share", 0.0, "top_share between 0 and 1"),
        ("top_share", 1.0, "top_share between 0 and 1"),
        ("random_fraction", -0.5, r"in \[0, 1\], got 0.15 and -0.5"),
        ("random_fraction", 1.5, r"in \[0, 1\], got 0.15 and 1.5"),
        ("bandwidth_factor", 0.0, "bandwidth_factor > 0, got 0.0"),
        ("bandwidth_factor", math.inf, "bandwidth_factor > 0, got inf"),
    ],
)
def test_unusable_options_are_refused(option, value, message):
    with pytest.raises(ConfigError, match=message):
        make("bohb", LETTERS, {option: value})


@pytest.mark.parametrize(
    ("option", "value"),
    [("samples", 1), ("min_points", 1), ("top_share", 0.01), ("bandwidth_factor", 0.5)],
)
def test_the_least_that_may_be_asked_still_proposes(option, value):
    history = history_of([1] * 30)
    model = make("bohb", LETTERS, {"random_fraction": 0.0, option: value})
    proposal = model.propose(history, strategies.generator(0))
    assert LETTERS.architecture(proposal.architecture) == proposal.architecture


def test_its_options_are_those_of_the_authors_code_unless_others_are_asked_for():
    published = {"top_share": 0.15, "samples": 64, "random_fraction": 1 / 3, "bandwidth_factor": 3}
    assert make("bohb", LETTERS) == make("bohb", LETTERS, published)
    assert "_axes" not in repr(make("bohb", LETTERS))
