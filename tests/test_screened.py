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
from raynas.searchers.screened import (
    Promise,
    Screened,
    Screening,
    correlation,
    most_promising,
    promise,
)
from raynas.space import Choice, Space
from raynas.trial import Started

SPACE = Space({name: Choice(range(6)) for name in "abcd"})


def truth(toy):
    return lambda networks: [Promise({"truth": toy.quality(one)}) for one in networks]


def chance(networks):
    drawn = (strategies.generator(list(one.values())) for one in networks)
    return [Promise({"chance": float(rng.random())}) for rng in drawn]


def searched(assess, trials=60, **options):
    searcher = Screened(make("random", SPACE), assess, Screening(**options))
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
    dropped = [one.dropped for one in begun(run)]
    assert max(dropped) == round(1 / keep) - 1
    assert sum(dropped) > 0.9 * len(dropped) * max(dropped)
    assert all(set(one.scores) == {"chance"} for one in begun(run))


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
    believed = [bool(one.scores) for one in begun(run)]
    assert all(believed[:15])
    assert not any(believed[20:])
    said = [record.message for record in caplog.records]
    assert len(said) == 1
    assert "0.9 is asked for): proposals are no longer screened" in said[0]


def test_agreement_is_the_rank_correlation_with_training():
    run = searched(chance, least=-1)
    judged = [trial for trial in run.history.finished if trial.started.scores and trial.trained]
    expected = spearmanr(
        [trial.started.scores["chance"] for trial in judged], [-trial.loss for trial in judged]
    ).statistic
    found = correlation(run.history)
    assert found.trials == len(judged)
    assert found.spearman == pytest.approx(expected)
    perfect = searched(truth(strategies.Toy(SPACE, 0)))
    assert correlation(perfect.history).spearman == pytest.approx(1.0)


def test_a_network_of_which_nothing_can_be_said_fails_with_the_reason_and_the_run_goes_on():
    def assess(networks):
        return [
            Promise(fault="the proxies raised ZeroDivisionError", detail="Traceback …")
            if one["a"] == 0
            else Promise({"one": 1.0})
            for one in networks
        ]

    run = searched(assess, keep=0.5, least=-1)
    faults = [trial.outcome for trial in run.history.failed]
    assert faults
    assert {fault.reason for fault in faults} == {"the proxies raised ZeroDivisionError"}
    assert faults[0].detail == "Traceback …"
    assert len(run.history.trials) == 60


@given(st.lists(st.dictionaries(st.sampled_from("xyz"), st.floats(-9, 9)), min_size=1))
def test_the_most_promising_has_the_highest_mean_rank_and_no_value_ranks_last(scores):
    ranks = promise(scores)
    assert most_promising(scores) == ranks.tolist().index(ranks.max())
    complete = [dict.fromkeys("xyz", 0.0), {}]
    assert promise(complete)[0] > promise(complete)[1]


@pytest.mark.parametrize("options", [{"keep": 0}, {"keep": 1}, {"least": 2}, {"trials": 2}])
def test_senseless_options_are_refused(options):
    with pytest.raises(ConfigError, match="screening needs 0 < keep < 1"):
        Screening(**options)
