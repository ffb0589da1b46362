"""Hypervolume: the mean over directions beside volumes counted out, and what it is for."""

import math
from dataclasses import replace

import numpy as np
import pytest
import strategies
from hypothesis import given, settings
from hypothesis import strategies as st
from two_losses import LETTERS, covered, hypervolume, told

from raynas.errors import ConfigError, SpaceError
from raynas.searchers import make
from raynas.searchers.ehvi import Front, _reach
from raynas.searchers.gp.rows import Rows
from raynas.searchers.gp.surrogate import Surrogate
from raynas.space import Int, Space
from raynas.trial import Failed, Finished, Proposal, Report, Started


def counted(points):
    """The volume between the origin and points ``[n, 3]`` of small whole numbers: cube by cube."""
    cubes = np.stack(np.meshgrid(*[range(6)] * 3, indexing="ij"), -1).reshape(-1, 3)
    return (points[:, None] > cubes).all(2).any(0).sum()


def directions(objectives, draws=40_000):
    drawn = np.abs(strategies.generator(0).standard_normal((draws, objectives)))
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def volume(points):
    """Golovin & Zhang's hypervolume scalarization, with its factor and ``_reach`` as integrand."""
    k = points.shape[1]
    factor = math.pi ** (k / 2) / (2**k * math.gamma(k / 2 + 1))
    return factor * _reach(points[:, None], directions(k)).max(0).mean()


@settings(max_examples=20)
@given(st.lists(st.tuples(*[st.integers(0, 6)] * 3), min_size=1, max_size=8))
def test_the_mean_over_directions_is_the_volume(points):
    points = np.array(points)
    assert volume(points) == pytest.approx(counted(points), rel=0.05, abs=0.05)
    area = hypervolume([(1 - a / 6, 1 - b / 6) for a, b, _ in points.tolist()])
    assert volume(points[:, :2]) == pytest.approx(36 * area, rel=0.05, abs=0.05)


def letters_a_and_b(architecture):
    drawn = [*architecture.values()]
    return drawn.count("a") / 6, drawn.count("b") / 6


def test_what_is_known_for_sure_adds_what_it_adds():
    """Without uncertainty the expectation is the difference of two volumes, or nothing."""
    searcher = make("ehvi", LETTERS)
    history = told(searcher, letters_a_and_b, 12, seed=0)
    front = Front.of(searcher._fitted(history), [], strategies.generator(0))
    sure = replace(front, normal=np.zeros_like(front.normal))
    fresh = [Proposal(LETTERS.sample(strategies.generator(seed))) for seed in range(30)]
    points = sure.fitted[0].untried([one.architecture for one in fresh])
    mean = np.stack([one.posterior.mean(points) for one in sure.fitted], axis=1)
    known = sure.fitted[0].known
    means = np.stack([one.posterior.mean(known) for one in sure.fitted], axis=1)
    beaten = (means[:, None] >= mean).all(2).any(0)
    beyond = (mean < means.min(0)).any(1)  # worse than what no corner is: worth nothing
    values = sure.value(fresh)
    assert 0 < beaten.sum() < len(fresh)
    assert not values[beaten].any()
    assert values[~(beaten | beyond)].all()


@pytest.mark.parametrize("scales", [(1.0, 1.0), (1e6, 1e-6)])
def test_units_do_not_matter(scales):
    """The same proposals, whether an objective is counted in ones or in millions."""

    def scaled(architecture):
        return tuple(
            value * scale
            for value, scale in zip(letters_a_and_b(architecture), scales, strict=True)
        )

    searcher = make("ehvi", LETTERS)
    history = told(searcher, scaled, 12, seed=0)
    plain = told(make("ehvi", LETTERS), letters_a_and_b, 12, seed=0)
    assert [one.identity for one in history.finished] == [one.identity for one in plain.finished]


def test_a_process_says_losses_in_the_units_of_the_objective():
    searcher = make("ehvi", LETTERS)
    history = told(searcher, letters_a_and_b, 20, seed=0)
    best = [min(one.losses[at] for one in history.finished) for at in range(2)]
    for at, fitted in enumerate(searcher._fitted(history)):
        gaps = fitted.target.gap(fitted.posterior.mean(fitted.known))
        measured = [one.losses[at] - best[at] for one in fitted.trials]
        assert np.abs(gaps - measured).max() < 0.05


@pytest.mark.parametrize("objective", [0, 1])
def test_of_very_many_trainings_the_best_by_an_objective_are_known(objective):
    history = told(make("random", LETTERS), letters_a_and_b, 1300, seed=0)
    surrogate = Surrogate(Rows(LETTERS, None, 1), objective).fit(history, full=1)
    ranked = sorted(history.finished, key=lambda one: one.losses[objective])
    assert len(surrogate.trials) == len(surrogate.known) <= 1000
    assert {one.identity for one in ranked[:300]} <= {one.identity for one in surrogate.trials}


def test_it_covers_a_front_in_a_third_of_the_trials_of_nsga2():
    shares = {name: covered(name, 60, seeds=3) for name in ("ehvi", "nsga2")}
    assert min(shares["ehvi"]) > max(0.98, *shares["nsga2"])


def test_the_parent_is_the_training_that_counts():
    """The first one of the network was lost with its worker: it has no weights to inherit."""
    history = told(make("random", LETTERS), letters_a_and_b, 6, seed=0)
    events = [Started(6, LETTERS.architecture(dict.fromkeys("uvwxyz", "d")), "best", 1, seed=0)]
    events += [Failed(6, "the worker was lost"), replace(events[0], number=7)]
    events += [Report(7, 1, {"up": 0.0, "down": 0.0}), Finished(7)]
    for event in events:
        history.apply(event)
    searcher = make("ehvi", LETTERS)
    parents = {searcher.propose(history, strategies.generator(seed)).parent for seed in range(20)}
    assert 7 in parents
    assert 6 not in parents


@pytest.mark.parametrize("option", ["random_first", "pool"])
def test_bad_options_are_refused(option):
    with pytest.raises(ConfigError, match=r"ehvi needs random_first and pool >= 1, got .*0"):
        make("ehvi", LETTERS, {option: 0})


def test_a_space_of_one_architecture_is_refused():
    with pytest.raises(SpaceError, match="ehvi needs a space of at least two"):
        make("ehvi", Space({"a": Int(1, 1)}))
