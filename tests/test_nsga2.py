"""Breeding: fronts and crowding beside their definitions, NSGA-II beside random search."""

from dataclasses import replace

import numpy as np
import pytest
import strategies
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare
from two_losses import BOTH, LETTERS, covered, dominates

from raynas.errors import ConfigError, SpaceError
from raynas.searchers import make
from raynas.searchers.nsga2 import crowding, fronts, order
from raynas.space import Int, Space
from raynas.trial import Finished, History, Report, Reports, Started, Trial


def sorted_by_hand(trials):
    """The front of each, by taking away again and again what nothing left dominates."""
    front, left, number = {}, set(range(len(trials))), 0
    while left:
        best = {i for i in left if not any(dominates(trials[j], trials[i]) for j in left)}
        front |= dict.fromkeys(best, number)
        left, number = left - best, number + 1
    return [front[i] for i in range(len(trials))]


def crowded_by_hand(losses):
    """The distance of each, in one front without equal losses (Deb et al., 2002, III-B)."""
    distance = dict.fromkeys(losses, 0.0)
    for m in range(len(losses[0])):
        ranked = sorted(losses, key=lambda one: one[m])
        distance[ranked[0]] = distance[ranked[-1]] = float("inf")
        for before, here, after in zip(ranked, ranked[1:], ranked[2:], strict=False):
            distance[here] += (after[m] - before[m]) / (ranked[-1][m] - ranked[0][m])
    return [distance[one] for one in losses]


def outcomes(**size):
    """Epochs and a few losses, often equal ones."""
    loss = st.integers(0, 4).map(float)
    return st.integers(1, 3).flatmap(
        lambda m: st.lists(st.tuples(st.integers(1, 2), st.tuples(*[loss] * m)), **size)
    )


@given(outcomes(min_size=1, max_size=12))
def test_fronts_are_as_defined(trials):
    losses = np.array([losses for _, losses in trials])
    epochs = np.array([epochs for epochs, _ in trials])
    assert fronts(losses, epochs).tolist() == sorted_by_hand(trials)


@given(st.integers(1, 3), st.integers(1, 10), strategies.seeds())
def test_crowding_is_as_defined(objectives, trials, seed):
    losses = np.array([strategies.generator(seed).permutation(trials) for _ in range(objectives)])
    losses = losses.T + strategies.generator(seed).random((trials, objectives)) / 2
    found = crowding(losses, np.zeros(trials, dtype=int))
    assert found == pytest.approx(crowded_by_hand(list(map(tuple, losses.tolist()))))


def test_crowding_counts_within_a_front_only():
    losses = np.array([[0.0, 9], [1, 5], [9, 0], [2, 9], [3, 8], [9, 2], [1, 6], [4, 4]])
    front = np.array([0, 0, 0, 1, 1, 1, 1, 2])
    found = crowding(losses, front)
    for number in range(3):
        alone = losses[front == number]
        assert (
            found[front == number].tolist() == crowding(alone, np.zeros(len(alone), int)).tolist()
        )


def test_equal_trials_have_no_distance_to_each_other():
    found = crowding(np.ones((4, 2)), np.zeros(4, dtype=int))
    assert sorted(found.tolist())[:2] == [0.0, 0.0]


def trial(number, *losses, epoch=1):
    architecture = LETTERS.sample(strategies.generator(number))
    report = Report(number, epoch, {})
    return Trial(Started(number, architecture, str(number), epoch, 0), Reports([report]), losses)


def test_the_better_front_comes_first_then_the_less_crowded_then_the_earlier():
    front = [trial(0, 0.0, 9.0), trial(1, 1.0, 8.0), trial(2, 5.0, 5.0), trial(3, 9.0, 0.0)]
    behind = [trial(4, 9.0, 9.0), trial(5, 9.0, 9.0)]
    early = [trial(6, 0.0, 0.0, epoch=0)]
    numbers = [0, 3, 2, 1, 4, 5, 6]
    for seed in range(5):
        mixed = strategies.generator(seed).permutation(7)
        trials = [[*front, *behind, *early][i] for i in mixed]
        assert [trials[i].number for i in order(trials)] == numbers


@settings(max_examples=10)
@given(strategies.seeds(), st.integers(2, 6), st.integers(1, 6))
def test_the_population_never_loses_what_nothing_dominates(seed, size, workers):
    """As long as there are no more of them than it holds."""
    searcher = make("nsga2", LETTERS, {"population_size": size})
    objectives = strategies.ACCURACY_AND_SIZE
    run = strategies.Search(searcher, seed, 60, workers, epochs=1, objectives=objectives)
    run.run()
    alive = searcher._alive.after(run.history)
    ended = [one for one in run.history.finished if one.trained]
    assert len(alive) == size
    ranked = sorted_by_hand([(one.epoch, one.losses) for one in ended])
    best = {one.number for one, front in zip(ended, ranked, strict=True) if front == 0}
    if len(best) <= size:
        assert best <= {one.number for one in alive}


@settings(max_examples=10)
@given(strategies.seeds(), st.integers(2, 6))
def test_children_come_from_the_living_and_are_new(seed, size):
    searcher = make("nsga2", LETTERS, {"population_size": size, "crossover": 0.0})
    run = strategies.Search(searcher, seed=seed, trials=40)
    for i, event in enumerate(run.run()):
        if isinstance(event, Started):
            history = strategies.replay(run.events[:i])
            alive = {one.number for one in searcher._alive.after(history)}
            assert (event.parent is None) == (len(alive) < size)
            assert event.parent is None or event.parent in alive
            assert not any(history.same(event.identity))


def test_it_covers_a_front_better_than_random_search():
    shares = {name: covered(name, trials=200, seeds=5) for name in ("nsga2", "random")}
    assert min(shares["nsga2"]) > max(shares["random"])
    assert np.mean(shares["nsga2"]) > 0.97


def test_parents_win_binary_tournaments():
    """The k-th best of P wins with chance ((P-k+1)/P)^2 - ((P-k)/P)^2, drawn with replacement."""
    searcher, history = make("nsga2", LETTERS, {"population_size": 4}), History()
    for number, accuracy in enumerate((0.5, 0.9, 0.6, 0.8)):
        drawn = LETTERS.sample(strategies.generator(number))
        history.apply(Started(number, drawn, LETTERS.identity(drawn), 1, seed=0))
        history.apply(Report(number, 1, {"val_accuracy": accuracy}))
        history.apply(Finished(number))
    winners = [searcher.propose(history, strategies.generator(i)).parent for i in range(1000)]
    shares = [((5 - k) / 4) ** 2 - ((4 - k) / 4) ** 2 for k in (1, 2, 3, 4)]
    counts = [winners.count(number) for number in (1, 3, 2, 0)]
    assert chisquare(counts, [len(winners) * share for share in shares]).pvalue > 1e-4


def test_scores_that_are_no_numbers_and_answered_trials_do_not_live():
    history = History(BOTH)
    for number, loss in enumerate((1.0, np.nan, np.inf, 2.0)):
        drawn = LETTERS.sample(strategies.generator(number))
        history.apply(Started(number, drawn, LETTERS.identity(drawn), 1, seed=0))
        history.apply(Report(number, 1, {"up": loss, "down": -1.0}))
        history.apply(Finished(number))
    history.apply(replace(history.trials[0].started, number=4))
    history.apply(Finished(4, answered_by=0))
    alive = make("nsga2", LETTERS)._alive.after(history)
    assert [trial.number for trial in alive] == [0, 3]


def test_it_works_for_one_objective():
    searcher = make("nsga2", LETTERS, {"population_size": 10})
    run = strategies.Search(searcher, trials=150, failing=0)
    run.run()
    assert run.toy.quality(run.history.best.architecture) == pytest.approx(
        max(map(run.toy.quality, LETTERS)), rel=0.02
    )


@pytest.mark.parametrize("name", ["evolution", "nsga2"])
def test_crossover_mixes_two_parents_and_changes_one_decision(name):
    options = {"population_size": 2, "crossover": 1.0}
    if name == "evolution":
        options["tournament_size"] = 1  # so that the second best is a parent, too
    searcher, history = make(name, LETTERS, options), History()
    for number, letter in enumerate("ab"):
        one = LETTERS.architecture(dict.fromkeys("uvwxyz", letter))
        history.apply(Started(number, one, LETTERS.identity(one), 1, seed=0))
        history.apply(Report(number, 1, {"val_accuracy": 0.5}))
        history.apply(Finished(number))
    counts = []
    for seed in range(200):
        child = searcher.propose(history, strategies.generator(seed)).architecture
        values = [*child.values()]
        assert sum(value in "cd" for value in values) <= 1
        counts.append(values.count("a"))
    assert {2, 3, 4} <= set(counts)


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("nsga2", {"population_size": 1}, "population_size >= 2, got 1"),
        ("nsga2", {"crossover": 1.5}, "crossover <= 1, got 1.5"),
        ("evolution", {"crossover": -0.5}, "crossover <= 1, got -0.5"),
    ],
)
def test_options_out_of_range_are_refused(name, options, says):
    with pytest.raises(ConfigError, match=says):
        make(name, LETTERS, options)


def test_a_space_without_a_choice_is_refused():
    with pytest.raises(SpaceError, match="use the searcher 'random'"):
        make("nsga2", Space({"a": Int(1, 1)}))
