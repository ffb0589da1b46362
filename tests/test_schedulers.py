"""The contract every scheduler in the table keeps, and what each decides."""

import copy
import math

import numpy as np
import pytest
import strategies
from hypothesis import given, settings
from hypothesis import strategies as st
from ray.tune.schedulers.async_hyperband import _Bracket
from ray.tune.schedulers.trial_scheduler import TrialScheduler

from raynas.errors import ConfigError
from raynas.schedulers import SCHEDULERS, Verdict, make
from raynas.schedulers.asha import ASHA
from raynas.searchers import make as make_searcher
from raynas.space import Architecture, Choice, Space
from raynas.trial import Finished, Report, Started

SPACE = Space({name: Choice(range(6)) for name in "abc"})


def search(scheduler, **options):
    return strategies.Search(make_searcher("random", SPACE), scheduler=scheduler, **options)


@pytest.mark.parametrize("name", SCHEDULERS)
@settings(max_examples=5)
@given(seed=strategies.seeds())
def test_a_verdict_follows_from_the_history_which_it_leaves_alone(name, seed):
    run = search(name, seed=seed, epochs=9, failing=0.2)
    history = strategies.replay(())
    for event in run.run():
        history.apply(event)
        if isinstance(event, Report):
            before = copy.deepcopy(history)
            verdict = make(name).decide(event, history)
            assert isinstance(verdict, Verdict)
            assert make(name).decide(event, before) is verdict
            assert history == before


@pytest.mark.parametrize("name", SCHEDULERS)
@given(seed=strategies.seeds(), share=st.floats(0, 1))
def test_a_search_cut_off_anywhere_goes_on_as_if_it_had_not_been(name, seed, share):
    options = {"seed": seed, "epochs": 9, "workers": 1, "trials": 12}
    whole = search(name, **options).run()
    cut = round(share * len(whole))
    assert search(name, before=tuple(whole[:cut]), **options).run() == whole


@pytest.mark.parametrize("name", SCHEDULERS)
def test_trials_end_stopped_or_at_their_full_length(name):
    run = search(name, epochs=9, trials=60, failing=0)
    run.run()
    for trial in run.history.finished:
        assert trial.stopped == (trial.epoch < 9)


@pytest.mark.parametrize("name", sorted({*SCHEDULERS} - {"moasha"}))
def test_of_several_objectives_the_first_decides(name):
    one = search(name, epochs=9)
    assert search(name, epochs=9, objectives=strategies.ACCURACY_AND_SIZE).run() == one.run()


def test_without_a_scheduler_nothing_is_stopped():
    run = search("none", epochs=4)
    run.run()
    assert {trial.epoch for trial in run.history.finished} == {4}
    make("none").check(1)


# ASHA


@pytest.mark.parametrize(
    ("grace", "eta", "epochs", "rungs"),
    [
        (1, 3, 9, (1, 3)),
        (1, 3, 10, (1, 3, 9)),
        (1, 3, 81, (1, 3, 9, 27)),
        (2, 2, 9, (2, 4, 8)),
        (5, 4, 200, (5, 20, 80)),
        (1, 3, 1, ()),
        (4, 3, 3, ()),
    ],
)
def test_rungs_counted_by_hand(grace, eta, epochs, rungs):
    assert ASHA(grace, eta).rungs(epochs) == rungs


def at_rung(losses, epochs=3):
    """A history in which trials reach the first rung with these losses, one after another."""
    history = strategies.replay(())
    for number, loss in enumerate(losses):
        history.apply(Started(number, Architecture({"a": number}), str(number), epochs, seed=0))
        report = Report(number, 1, {"val_accuracy": -loss})
        history.apply(report)
        yield report, history


@given(
    st.lists(st.integers(-20, 20), min_size=1, max_size=40),
    st.integers(2, 5),
    st.none() | st.integers(1, 6),
)
def test_the_best_of_each_rung_go_on(losses, eta, recent):
    asha = ASHA(eta=eta, recent=recent)
    for count, (report, history) in enumerate(at_rung(losses), start=1):
        rivals = losses[:count][-recent * eta :] if recent else losses[:count]
        allowed = sorted(rivals)[: math.ceil(len(rivals) / eta)]
        goes_on = losses[count - 1] <= allowed[-1]
        assert (asha.decide(report, history) is Verdict.GO) == goes_on


def test_of_networks_that_get_better_all_the_time_a_part_goes_on_too():
    noise = strategies.generator(0).normal(size=600)
    losses = (noise - np.arange(600) / 30).tolist()
    went_on = {
        recent: sum(
            ASHA(recent=recent).decide(report, history) is Verdict.GO
            for report, history in at_rung(losses)
        )
        for recent in (None, ASHA().recent)
    }
    assert went_on[None] > 500  # nearly all
    assert went_on[ASHA().recent] < 270  # a third, and somewhat more where the last are the best


def test_ray_tune_decides_alike():
    """Ray compares with an interpolated percentile of those before, we with the ranks so far."""
    losses = strategies.generator(0).normal(size=1500).tolist()
    bracket = _Bracket(min_t=1, max_t=3, reduction_factor=3, s=0)
    same = going_on = 0
    for report, history in at_rung(losses):
        trial = type("Trial", (), {"trial_id": str(report.number)})
        rays = (
            bracket.on_result(trial, 1, report.metrics["val_accuracy"]) == TrialScheduler.CONTINUE
        )
        ours = ASHA(recent=None).decide(report, history) is Verdict.GO
        same += rays == ours
        going_on += ours
    assert same / len(losses) > 0.99
    assert going_on / len(losses) == pytest.approx(1 / 3, abs=0.03)


def test_between_rungs_and_at_the_end_everybody_goes_on():
    history = strategies.replay(())
    for number, accuracy in enumerate((0.9, 0.1)):
        history.apply(Started(number, Architecture({"a": number}), str(number), 3, seed=0))
        for epoch in (2, 3):
            report = Report(number, epoch, {"val_accuracy": accuracy})
            history.apply(report)
            assert ASHA().decide(report, history) is Verdict.GO
        history.apply(Finished(number))


def test_shorter_trials_have_their_own_last_rung():
    (_, _), (report, history) = [*at_rung([0.1, 0.9], epochs=1)]
    assert ASHA().decide(report, history) is Verdict.GO
    (_, _), (report, history) = [*at_rung([0.1, 0.9], epochs=2)]
    assert ASHA().decide(report, history) is Verdict.STOP


def test_asha_finds_the_best_for_a_part_of_the_epochs():
    full, halved = search("none", epochs=27, trials=100), search("asha", epochs=27, trials=100)
    spent = {}
    for run in (full, halved):
        run.run()
        spent[run.scheduler] = sum(
            len(t.reports) for t in run.history.trials.values() if t.trained
        )
    assert halved.history.best.architecture == full.history.best.architecture
    assert spent["asha"] < spent["none"] / 3


@pytest.mark.parametrize(
    ("make_it", "says"),
    [
        (lambda: make("ahsa"), "no scheduler 'ahsa': did you mean 'asha'"),
        (
            lambda: make("asha", {"grace_epoch": 1}),
            "no option of scheduler 'asha' 'grace_epoch': did you mean",
        ),
        (lambda: make("asha", {"_rankings": 3}), "no option of scheduler 'asha' '_rankings'"),
        (lambda: make("none", {"eta": 3}), "scheduler 'none' takes no options, got 'eta'"),
        (lambda: make("asha", {"eta": 1}), "eta >= 2, got 1 and 1"),
        (lambda: make("asha", {"grace_epochs": 0}), "grace_epochs >= 1"),
        (lambda: make("asha", {"recent": 0}), "recent >= 1, or none, got 0"),
        (lambda: make("asha", {"eta": "three"}), "'eta' .* must be a whole number, got 'three'"),
        (lambda: make("asha", {"eta": math.nan}), "must be a whole number, got nan"),
        (lambda: make("asha", {"grace_epochs": 10}).check(9), "10 epochs for trials of 9"),
        (lambda: make("asha_promotion", {"eta": 1}), "asha_promotion needs .* got 1 and 1"),
        (lambda: make("asha_promotion", {"spare": -1}), "spare >= 0, got -1"),
        (lambda: make("asha_promotion", {"grace_epochs": 10}).check(9), "10 epochs for trials"),
        (lambda: make("halving", {"eta": 1}), "halving needs .* eta >= 2, got 1 and 1"),
        (lambda: make("halving", {"grace_epochs": 10}).check(9), "10 epochs for trials of 9"),
        (lambda: make("hyperband", {"eta": 1}), "hyperband needs eta >= 2, got 1"),
        (lambda: make("hyperband", {"eta": 10}).check(9), "trials of 9 epochs and eta 10"),
    ],
)
def test_unusable_options_are_refused_before_anything_starts(make_it, says):
    with pytest.raises(ConfigError, match=says):
        make_it()


@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_scheduler_is_its_options_and_nothing_it_remembers(name):
    made = make(name)
    assert made == make(name)
    assert "Memo" not in repr(made)


def test_options_are_read_from_text():
    assert make("asha", {"grace_epochs": "2", "eta": 4}) == ASHA(grace_epochs=2, eta=4)


def test_the_least_and_the_most_that_may_be_asked_is_accepted():
    for name in ("asha", "asha_promotion", "halving"):
        make(name, {"grace_epochs": 9, "eta": 2}).check(9)
    make("asha", {"recent": 1}).check(1)
    make("asha_promotion", {"spare": 0}).check(1)
    make("hyperband", {"eta": 2}).check(2)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("asha", {"grace_epochs": 1, "eta": 3, "recent": 4}),
        ("asha_promotion", {"grace_epochs": 1, "eta": 3, "spare": 16}),
        ("halving", {"grace_epochs": 1, "eta": 3}),
        ("hyperband", {"eta": 3}),
    ],
)
def test_one_of_three_goes_on_unless_something_else_is_asked(name, options):
    assert make(name) == make(name, options)
