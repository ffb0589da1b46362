"""Rung 0: which proposals are trained, and when proxies are no longer asked."""

import logging

import numpy as np
import pytest
import strategies
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from raynas.errors import ConfigError
from raynas.searchers import make
from raynas.searchers.rank_correlation import mean_ranks, rank_correlation
from raynas.searchers.screened import Assessment, Screened, ScreeningOptions, most_promising
from raynas.space import Choice, Space
from raynas.trial import Started

SPACE = Space({name: Choice(range(6)) for name in "abcd"})


def truth(toy):
    return lambda networks: [Assessment({"truth": toy.quality(one)}) for one in networks]


def chance(networks):
    drawn = (strategies.generator(list(one.values())) for one in networks)
    return [Assessment({"chance": float(rng.random())}) for rng in drawn]


def searched(assess, trials=60, **options):
    searcher = Screened(make("random", SPACE), assess, ScreeningOptions(**options))
    run = strategies.Search(searcher, trials=trials, failing=0)
    run.run()
    return run


def begun(run):
    return [event for event in run.events if isinstance(event, Started)]


def mean_quality(run):
    return sum(run.toy.quality(one.architecture) for one in begun(run)) / len(begun(run))


@pytest.mark.parametrize("keep", [0.5, 0.25, 0.1])
def test_of_so_many_proposals_one_is_trained_and_the_journal_says_so(keep):
    run = searched(chance, keep=keep, least=-1)
    dropped = [one.screening.dropped for one in begun(run)]
    assert max(dropped) == round(1 / keep) - 1
    assert sum(dropped) > 0.9 * len(dropped) * max(dropped)
    assert all(set(one.screening.scores) == {"chance"} for one in begun(run))


def test_proxies_that_know_find_better_networks_and_chance_does_not():
    toy = strategies.Toy(SPACE, 0)
    knowing, guessing = searched(truth(toy)), searched(chance, least=-1)
    alone = strategies.Search(make("random", SPACE), trials=60, failing=0)
    alone.run()
    spread = np.std([toy.quality(one) for one in SPACE])
    # The best of four lies one deviation above the mean, which sixty draws know to an eighth.
    assert mean_quality(knowing) > mean_quality(alone) + spread / 2
    assert abs(mean_quality(guessing) - mean_quality(alone)) < spread / 2


def test_one_in_five_is_taken_as_it_comes():
    toy = strategies.Toy(SPACE, 0)
    run = searched(truth(toy), least=-1)
    qualities = [toy.quality(one.architecture) for one in begun(run)]
    blind = qualities[4::5]
    chosen = [quality for at, quality in enumerate(qualities) if at % 5 != 4]
    assert sum(chosen) / len(chosen) > sum(blind) / len(blind)


def test_proxies_that_do_not_agree_with_training_are_dropped_once_with_a_word(caplog):
    with caplog.at_level(logging.WARNING, "raynas"):
        run = searched(chance, trials=80, least=0.9)
    believed = [bool(one.screening.scores) for one in begun(run)]
    assert all(believed[:15])
    assert not any(believed[20:])
    assert {one.screening.mode for one in begun(run)[20:]} == {"off"}
    said = [record.message for record in caplog.records]
    assert len(said) == 1
    assert "it must reach 0.9): proposals are no longer screened" in said[0]


def test_once_switched_off_proxies_stay_so_whatever_trials_show_later():
    toy, asked = strategies.Toy(SPACE, 0), []

    def late(networks):  # they lie until they have been shown 80 networks
        asked.extend(networks)
        sign = -1 if len(asked) < 80 else 1
        return [Assessment({"late": sign * toy.quality(one)}) for one in networks]

    run = searched(late, trials=60)
    said = [one.screening.mode for one in begun(run)]
    first = said.index("off")
    assert set(said[:first]) == {"chosen", "blind"}
    assert set(said[first:]) == {"off"}
    # By the journal alone: the same trials would be believed, had none been marked.
    again = Screened(make("random", SPACE), truth(toy), ScreeningOptions(least=-1))
    assert again.propose(run.history, strategies.generator(0)).screening.mode == "off"


def noisy(rho, seed):
    """Proxies of a rank correlation with training of about ``rho``."""
    toy = strategies.Toy(SPACE, seed)
    every = [toy.quality(one) for one in SPACE]
    mean, deviation = np.mean(every), np.std(every)
    linear = 2 * np.sin(np.pi * rho / 6)  # of normals with that rank correlation

    def assess(networks):
        for one in networks:
            noise = strategies.generator([seed, *one.values()]).normal()
            exact = (toy.quality(one) - mean) / deviation
            yield Assessment({"noisy": linear * exact + np.sqrt(1 - linear**2) * noise})

    return lambda networks: [*assess(networks)]


def switched_off(rho, runs, trials, **options):
    """When each of some runs switches proxies off, and how it estimates their worth in the end."""
    for seed in range(runs):
        searcher = Screened(make("random", SPACE), noisy(rho, seed), ScreeningOptions(**options))
        run = strategies.Search(searcher, seed, trials, epochs=1, failing=0)
        run.run()
        off = [one.number for one in begun(run) if one.screening.mode == "off"]
        yield min(off, default=np.inf), rank_correlation(run.history).spearman


@pytest.mark.slow
def test_useful_proxies_are_practically_never_switched_off_and_useless_ones_soon():
    useful = [at for at, _ in switched_off(0.44, runs=40, trials=100)]
    useless = [at for at, _ in switched_off(0.0, runs=40, trials=100)]
    harmful = [at for at, _ in switched_off(-0.3, runs=20, trials=60)]
    assert np.isfinite(useful).sum() <= 1
    assert np.isfinite(useless).mean() > 0.5
    assert np.isfinite(harmful).mean() > 0.85


@pytest.mark.parametrize("keep", [0.5, 0.1])
def test_agreement_is_that_of_proposals_not_of_what_proxies_have_chosen(keep):
    found = [worth for _, worth in switched_off(0.6, runs=16, trials=80, least=-1, keep=keep)]
    assert np.mean(found) == pytest.approx(0.6, abs=0.08)  # 0.02 of it by chance


def test_agreement_is_the_rank_correlation_with_training():
    run = searched(chance, least=-1)
    judged = [
        trial for trial in run.history.finished if trial.started.screening.scores and trial.trained
    ]
    expected = spearmanr(
        [trial.started.screening.scores["chance"] for trial in judged],
        [-trial.loss for trial in judged],
    ).statistic
    found = rank_correlation(run.history)
    assert found.trials == len(judged)
    assert found.spearman == pytest.approx(expected, rel=0.3)  # corrected for what was chosen
    assert abs(found.spearman) > abs(expected)
    assert found.spearman < found.upper < 1
    perfect = searched(truth(strategies.Toy(SPACE, 0)))
    assert rank_correlation(perfect.history).spearman == pytest.approx(1.0)


def test_a_network_without_a_value_ranks_last_and_is_trained_if_there_is_nothing_better():
    run = searched(lambda networks: [Assessment() for _ in networks], least=-1)
    assert len(run.history.finished) == 60
    assert {one.screening.mode for one in begun(run)} == {"chosen", "blind"}
    some = searched(
        lambda networks: [Assessment({"one": 1.0} if one["a"] else {}) for one in networks],
        least=-1,
    )
    assert not some.history.failed
    chosen = [one.architecture["a"] for one in begun(some) if one.screening.mode == "chosen"]
    assert chosen.count(0) <= 1  # once in 1296 batches of four
    assert {one.architecture["a"] for one in begun(some) if one.screening.mode == "blind"} >= {0}
    assert rank_correlation(some.history).trials == 60


def breaks(networks):
    trace = "Traceback …\nZeroDivisionError: no"
    return [
        Assessment({}, {"one": "ZeroDivisionError: no"}, {"one": trace})
        if one["a"] < 3
        else Assessment({"two": 1.0}, {"three": "KeyError: 3"}, {"three": "Traceback 3"})
        for one in networks
    ]


def test_a_network_on_which_proxies_raise_takes_no_other_ones_place(caplog):
    with caplog.at_level(logging.WARNING, "raynas"):
        run = searched(breaks, keep=0.5, least=-1)
    faults = [trial.outcome for trial in run.history.failed]
    assert {fault.reason for fault in faults} == {
        "no proxy could score the network: ZeroDivisionError: no"
    }
    assert "Traceback …" in faults[0].detail
    assert len(run.history.trials) == 60
    failed = {trial.number for trial in run.history.failed}
    assert failed == {one.number for one in begun(run) if one.architecture["a"] < 3}
    assert 5 <= len(failed) <= 25  # a quarter: both of two proposals are broken
    for one in begun(run):  # also of a trial that is trained it is kept
        assert one.screening.faults == ({} if one.number in failed else {"three": "Traceback 3"})
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2  # once per proxy
    assert any("the proxy 'one' raised" in one and "Traceback …" in one for one in said)
    assert any("the proxy 'three' raised" in one and "Traceback 3" in one for one in said)


@given(st.lists(st.dictionaries(st.sampled_from("xyz"), st.floats(-9, 9)), min_size=1))
def test_the_most_promising_has_the_highest_mean_rank_and_no_value_ranks_last(scores):
    ranks = mean_ranks(scores)
    assert most_promising(scores) == ranks.tolist().index(ranks.max())
    complete = [dict.fromkeys("xyz", 0.0), {}]
    assert mean_ranks(complete)[0] > mean_ranks(complete)[1]


@pytest.mark.parametrize("options", [{"keep": 0}, {"keep": 1}, {"least": 2}, {"trials": 2}])
def test_senseless_options_are_refused(options):
    with pytest.raises(ConfigError, match="screening needs 0 < keep < 1"):
        ScreeningOptions(**options)


@pytest.mark.parametrize("name", ["auto", "gp"])
def test_proxies_have_something_to_choose_from_with_a_model(name, caplog):
    toy = strategies.Toy(SPACE, 0)
    searcher = Screened(make(name, SPACE), truth(toy), ScreeningOptions())
    run = strategies.Search(searcher, trials=25, failing=0)
    run.run()
    chosen = [one.screening.dropped for one in begun(run) if one.screening.mode == "chosen"]
    assert len(chosen) >= 8
    assert sum(dropped == 3 for dropped in chosen) > len(chosen) / 2
    assert "nothing to choose from" not in caplog.text
