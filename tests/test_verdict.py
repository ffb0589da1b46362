"""The verdict: was a search better than random search?"""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raynas import schedulers, searchers
from raynas.execution.plan import Plan
from raynas.execution.simulate import Budget, Cluster, Simulation
from raynas.insight.expected_best import contrast
from raynas.insight.verdict import LEAST, verdict
from raynas.searchers import SEARCHERS
from raynas.space import Choice, Space
from raynas.tables.digits import digits
from raynas.trial import Failed, Finished, History, Objective, Report, Screening, Started
from search_spaces.nasbench201.small import SPACE

WORDS = Space({"op": Choice(tuple(range(10_000)))})


@cache
def table():
    return digits(SPACE)


def search(searcher, trials=40, seed=0, scheduler="none"):
    """Return the history of a search on the table, with one worker."""
    plan = Plan(
        SPACE, searchers.make(searcher, SPACE), schedulers.make(scheduler), trials, 6, seed
    )
    simulation = Simulation(plan, Cluster(table()), Budget(trials))
    for _ in simulation:
        pass
    return simulation.history


def made(random, chosen, objective=None, screenings=()):
    """Return a history of trials with these scores; the random ones come first."""
    history = History((objective or Objective(),))
    for number, score in enumerate([*random, *chosen]):
        decided = WORDS.sample(np.random.default_rng(number))
        screening = screenings[number] if screenings else Screening()
        history.apply(
            Started(
                number,
                decided,
                WORDS.identity(decided),
                1,
                0,
                random=number < len(random),
                screening=screening,
            )
        )
        if score is None:
            history.apply(Failed(number, "no memory"))
            continue
        history.apply(Report(number, 1, {history.objectives[0].metric: score}))
        history.apply(Finished(number))
    return history


def test_random_search_is_seldom_called_better_than_itself():
    """Of networks drawn at random, some are called random and the others chosen."""
    rng = np.random.default_rng(0)
    scores = table().seen[:, 0, -1]
    runs = 120
    called = {True: 0, False: 0, None: 0}
    for _ in range(runs):
        drawn = rng.choice(scores, 40)
        random = int(rng.choice([5, 10, 20]))
        called[verdict(made(drawn[:random], drawn[random:])).better] += 1
    assert called[True] <= 0.05 * runs


def test_a_searcher_that_learns_is_called_better():
    control = search("random", seed=11)
    found = verdict(search("gp"), control)
    assert found.better, found.sentence
    assert found.against == "run"
    assert found.contrast.chance < 0.05
    assert found.contrast.first - found.contrast.second > 0


def test_a_run_of_random_search_has_nothing_to_compare():
    assert verdict(search("random", trials=10)).sentence == (
        "There is nothing to compare with random search: all trials were drawn at random."
    )


def test_trials_that_were_stopped_are_compared_after_fewer_epochs():
    found = verdict(search("evolution", trials=60, scheduler="asha"))
    assert found.contrast is not None, found.sentence
    assert 0 < found.epoch <= 6


def test_a_random_trial_as_good_as_the_winner_decides():
    found = verdict(made([0.5, 0.6, 0.7, 0.8, 0.9], [0.85] * 20))
    assert found.better is False
    assert found.sentence.startswith(
        "The search is not better than random search: 1 of the 5 random trials of this run "
        "reaches the winner's val_accuracy of 90.00 %, and the best of 3 trials has"
    )


@pytest.mark.parametrize("direction", ["max", "min"])
def test_the_direction_of_the_objective_counts(direction):
    sign = 1 if direction == "max" else -1
    random, chosen = np.linspace(1, 2, 10), np.linspace(3, 4, 20)
    found = verdict(made(sign * random + 9, sign * chosen + 9, Objective("score", direction)))
    assert found.better is True
    low, high = (12.7, 13.1) if direction == "max" else (4.9, 5.3)
    first = float(found.sentence.split("on average ")[1].split()[0])
    assert low < first < high


def test_failures_count_as_the_worst():
    good = [0.9 + 0.001 * at for at in range(5)]
    alike = verdict(made([0.899, *good], good))
    failing = verdict(made([None] * 12 + [0.899, *good[:-1]], good))
    assert failing.contrast.second < alike.contrast.second


def test_too_few_random_trials_are_said():
    found = verdict(made([0.5] * (LEAST - 1), [0.9] * 10))
    assert found.better is None
    assert f"it takes {LEAST} random trials of this run with a score, and there are 4." in (
        found.sentence
    )
    assert "no trial has a score" in verdict(History()).sentence
    assert "no trial has a score" in verdict(made([None] * 3, [None])).sentence


def test_the_control_of_a_one_shot_method_is_its_control():
    both = [Screening("chosen", {f"shared by {name}": 0.5}) for name in ("random-ws", "spos")]
    screenings = [both[0]] * 6 + [both[1]] * 6
    scores = [0.5 + 0.01 * at for at in range(12)]
    found = verdict(made([], scores, screenings=screenings))
    assert found.against == "control"
    assert found.random == 6
    assert "trials of the control random-ws" in found.sentence


def test_a_control_must_have_the_same_objective():
    run, control = made([], [0.5] * 9), made([1.0] * 9, [], Objective("val_loss", "min"))
    said = verdict(run, control).sentence
    assert "the control must optimise val_accuracy, it optimises val_loss" in said


@given(scores=st.lists(st.floats(0, 1), min_size=10, max_size=30), seed=st.integers(0, 99))
@settings(max_examples=20)
def test_groups_change_places(scores, seed):
    first, second = np.array(scores[:5]), np.array(scores[5:])
    one = contrast(first, second, np.random.default_rng(seed))
    other = contrast(second, first, np.random.default_rng(seed))
    assert one.first == pytest.approx(other.second)
    assert one.low <= one.high
    assert 0 < one.chance <= 1
    # As good as the best of draws with replacement, computed by enumeration of the ranks.
    drawn = np.random.default_rng(seed).choice(first, (4000, one.count)).max(axis=1)
    assert one.first == pytest.approx(drawn.mean(), abs=0.05)


@pytest.mark.parametrize("name", SEARCHERS)
def test_a_random_proposal_does_not_depend_on_scores(name):
    searcher = searchers.make(name, SPACE)
    proposals = []
    for sign in (1, -1):
        history = History()
        for number in range(4):
            decided = SPACE.sample(np.random.default_rng(number))
            history.apply(Started(number, decided, SPACE.identity(decided), 1, 0))
            history.apply(Report(number, 1, {"val_accuracy": 0.5 + sign * 0.1 * number}))
            history.apply(Finished(number))
        proposals.append(searcher.propose(history, np.random.default_rng(7)))
    one, other = proposals
    if one.random and other.random:
        assert one.architecture == other.architecture
    if name == "random":
        assert one.random
