"""Which network is handed over: scores as they are, or drawn to those of networks alike."""

import math
from itertools import count

import numpy as np
import pytest
import strategies
from made_up import MadeUp
from scipy.optimize import check_grad
from two_losses import LETTERS

from raynas.goals import accuracy_error
from raynas.searchers import make, recommended
from raynas.searchers.ehvi import EHVI
from raynas.searchers.gp.handover import Expectation, Scores
from raynas.trial import Finished, History, Objective, Report, Started

ONE = (Objective(),)
COST = (*ONE, Objective("params", "min"))


def told(scores, examples=None, objectives=ONE):
    """A history of trainings: ``(architecture, accuracy)``, in their order."""
    history, numbers = History(objectives), count()
    for (architecture, accuracy), number in zip(scores, numbers, strict=False):
        errors = {} if examples is None else {"val_accuracy": accuracy_error(accuracy, examples)}
        identity = LETTERS.identity(architecture)
        params = sum(value == "a" for value in architecture.values())
        history.apply(Started(number, architecture, identity, 1, seed=number, repeat=True))
        metrics = {"val_accuracy": accuracy, "params": params}
        history.apply(Report(number, 1, metrics, errors=errors))
        history.apply(Finished(number))
    return history


def smooth(architecture):
    """The more ``a`` the better."""
    return 0.8 + 0.02 * sum(value == "a" for value in architecture.values())


def one_outlier(ability, repeats=3):
    """Trainings of forty networks, one of which does better than its like; and this one.

    By its like it would be the second best, and it scores a little more than the best.
    """
    rng = strategies.generator(3)
    drawn = list(dict.fromkeys(LETTERS.sample(rng) for _ in range(40)))
    levels = sorted({smooth(one) for one in drawn})
    outlier = next(one for one in drawn if smooth(one) == levels[ability])
    scores = [(one, smooth(one) + 0.002 * rng.normal()) for one in drawn if one != outlier]
    scores += [(outlier, levels[-1] + 0.006 + 0.002 * rng.normal()) for _ in range(repeats)]
    return scores, outlier


@pytest.mark.parametrize("ability", [0, -2])
def test_repeats_that_agree_overrule_what_networks_alike_have_reached(ability):
    scores, outlier = one_outlier(ability)
    assert recommended(make("auto", LETTERS), told(scores)).architecture == outlier


@pytest.mark.parametrize(("examples", "stays"), [(1_000_000, True), (100, False)])
def test_of_few_examples_the_score_of_one_network_says_little(examples, stays):
    """All repeats see the same examples, so that they agree shows nothing about other ones."""
    scores, outlier = one_outlier(ability=-2)
    chosen = recommended(make("auto", LETTERS), told(scores, examples))
    assert (chosen.architecture == outlier) is stays
    assert smooth(chosen.architecture) >= smooth(outlier)


@pytest.mark.parametrize(("examples", "beaten"), [(1_000_000, True), (100, False)])
def test_a_front_is_that_of_what_is_expected(examples, beaten):
    """The outlier costs less than the best, and would beat it if its scores were the truth."""
    scores, _ = one_outlier(ability=-2)
    front = EHVI(LETTERS).recommendation(told(scores, examples, COST)).front
    best = max(range(len(scores) - 3), key=lambda at: smooth(scores[at][0]))
    assert (smooth(scores[best][0]) in {smooth(scores[at][0]) for at in front}) is not beaten


def test_the_gradient_is_that_of_the_loss():
    rng = strategies.generator(0)
    rows = rng.normal(size=(9, 3))
    alike = np.exp(-((rows[:, None] - rows) ** 2).sum(2))
    counts = np.array([1.0, 2, 3] * 3)
    scores = Scores(rng.normal(size=9), counts, rng.random(9), 2.5, 0.0, 1.0)
    for seed in range(4):
        theta = strategies.generator(seed).normal(size=4)
        error = check_grad(
            lambda at: scores.loss(at, alike)[0], lambda at: scores.loss(at, alike)[1], theta
        )
        assert error < 1e-4


def test_a_repeat_is_worth_what_it_adds_on_average():
    mean, shift = np.array([0.0, 0.3, -0.5]), np.diag([0.8, 0.5, 0.0])
    worth = Expectation(mean, np.ones(3), shift)
    drawn = strategies.generator(0).normal(size=200_000)
    found = [np.max(mean + np.outer(drawn, shift[:, at]), axis=1).mean() - 0.3 for at in range(3)]
    assert worth.of_repeats() == pytest.approx(found, abs=0.005)


# The made-up tables


def test_a_validation_set_is_fair_and_the_same_for_all():
    table = MadeUp(layers=3, examples=400)
    found = [table.scores(one) for one in table.space]
    gaps = np.array([one.valid - one.test for one in found])
    deviation = math.sqrt(0.9 * 0.1 / 400)
    assert abs(gaps.mean()) < 2.5 * deviation
    assert 0.3 * deviation < gaps.std() < 0.9 * deviation, "they are right on the same examples"


def test_a_score_that_is_the_truth_states_no_error():
    architecture = MadeUp(layers=3).space.sample(strategies.generator(0))
    table, sampled = MadeUp(layers=3), MadeUp(layers=3, examples=100)
    scores = [table.answer(architecture, 1, draw)[0].metrics["val_accuracy"] for draw in range(3)]
    assert table.scores(architecture).test == pytest.approx(np.mean(scores))
    assert not table.answer(architecture, 1, 0)[0].errors
    assert sampled.answer(architecture, 1, 0)[0].errors["val_accuracy"] > 0
