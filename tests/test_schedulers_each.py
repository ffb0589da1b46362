"""What single schedulers decide, against papers, counts by hand and Ray Tune."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import strategies
from hypothesis import given, settings
from hypothesis import strategies as st
from local_runs import Run, learn, timeless

from raynas.execution.plan import Plan
from raynas.schedulers import Resume, Verdict, make
from raynas.schedulers.asha import ASHA, PromotingASHA
from raynas.schedulers.brackets import Hyperband, SuccessiveHalving
from raynas.schedulers.extrapolation import chance_below
from raynas.schedulers.moasha import MOASHA
from raynas.searchers import make as make_searcher
from raynas.space import Architecture, Choice, Float, Space
from raynas.trial import Finished, History, Objective, Report, Resumed, Started

SPACE = Space(
    {
        **{name: Choice(range(9)) for name in "abcdef"},
        "training": {"lr": Float(0.01, 1.0, log=True), "decay": Choice((0.0, 0.1, 0.2))},
    }
)


def played(scheduler, trials, epochs, workers=1, order=None, child=learn):
    plan = Plan(SPACE, make_searcher("random", SPACE), scheduler, trials, epochs, seed=0)
    return Run(plan).to_end(workers, order, child)


def reached(history, numbers, rungs):
    return [sum(number in history.at(rung) for number in numbers) for rung in rungs]


# Brackets


def test_hyperband_has_the_published_brackets():
    """Li et al., 2018, Table 1: trials and epochs, bracket by bracket, for R = 81 and eta = 3."""
    shapes = [(shape.size, *shape.rungs) for shape in Hyperband().shapes(81)]
    assert shapes == [
        (81, (1, 27), (3, 9), (9, 3), (27, 1)),
        (34, (3, 11), (9, 3), (27, 1)),
        (15, (9, 5), (27, 1)),
        (8, (27, 2)),
        (5,),
    ]


def test_halving_leaves_as_many_as_counted_by_hand():
    history = played(SuccessiveHalving(), 54, 27).history
    for bracket in (range(27), range(27, 54)):
        assert reached(history, bracket, (1, 3, 9, 27)) == [27, 9, 3, 1]
        for rung, above in ((1, 3), (3, 9), (9, 27)):
            losses = {n: history.at(rung)[n] for n in bracket if n in history.at(rung)}
            went_on = {n for n in bracket if n in history.at(above)}
            assert went_on == set(sorted(losses, key=losses.get)[: len(went_on)])


@pytest.mark.parametrize("scheduler", [SuccessiveHalving(), Hyperband()])
@settings(max_examples=10)
@given(workers=st.integers(2, 9), seed=strategies.seeds())
def test_brackets_are_the_same_whoever_is_faster(scheduler, workers, seed):
    alone = played(scheduler, 27, 9).history
    order = strategies.generator(seed)
    among = played(type(scheduler)(), 27, 9, workers, order).history
    assert {n: (t.epoch, t.losses) for n, t in alone.trials.items()} == {
        n: (t.epoch, t.losses) for n, t in among.trials.items()
    }


def test_each_bracket_of_hyperband_leaves_as_many_as_its_shape_says():
    history = played(Hyperband(), 34, 9).history
    for first in (0, 17):  # of two rounds
        for begin, end, expected in ((0, 9, [9, 3, 1]), (9, 14, [5, 5, 1]), (14, 17, [3, 3, 3])):
            assert reached(history, range(first + begin, first + end), (1, 3, 9)) == expected


@pytest.mark.parametrize("scheduler", [SuccessiveHalving(), Hyperband()])
def test_a_trial_pauses_at_the_rungs_of_its_bracket_and_nowhere_else(scheduler):
    plan = Plan(SPACE, make_searcher("random", SPACE), scheduler, 40, 9, seed=0)
    rungs = [dict(shape.rungs) for shape in scheduler.shapes(9) for _ in range(shape.size)]
    for event, after in pairwise(Run(plan).to_end().events):
        if isinstance(event, Report) and event.epoch < 9:
            at_rung = event.epoch in rungs[event.number % len(rungs)]
            assert isinstance(after, Finished) == at_rung


def test_the_best_go_on_once_their_rung_is_full_and_the_others_are_kept_until_then():
    scheduler, history = SuccessiveHalving(), History()

    def next_up():
        return scheduler.direct(history, SPACE, strategies.generator(0), closed=False)

    losses = (0.5, 0.1, 0.9, 0.3, 0.8, 0.2, 0.6, 0.7, 0.4)

    def pause(number, epoch):
        history.apply(Report(number, epoch, {"val_accuracy": -losses[number]}))
        history.apply(Finished(number, stopped=True))
        return {*scheduler.keeps(history)}

    for number in range(9):
        history.apply(Started(number, Architecture({}), str(number), 9, seed=0))
        assert next_up() is None
        kept = pause(number, 1)
        assert kept == ({*range(number + 1)} if number < 8 else {1, 5, 3})
    for number, kept in ((1, {5, 3, 1}), (5, {3, 1, 5}), (3, {1})):
        assert next_up() == Resume(number)
        history.apply(Resumed(number, 0.0))
        assert pause(number, 3) == kept
    assert next_up() == Resume(1)


def test_what_a_bracket_that_is_too_small_has_paused_is_kept_for_more_trials():
    scheduler = SuccessiveHalving()
    history = played(scheduler, 4, 9).history
    assert sorted(trial.epoch for trial in history.finished) == [1, 1, 1, 9]
    paused = {trial.number for trial in history.finished if trial.resumable}
    assert {*scheduler.keeps(history)} == {*SuccessiveHalving().keeps(history)} == paused


# Promotion


def job(rungs, losses, promoted, eta):
    """Algorithm 2 of Li et al., 2020: whom to promote from which rung; none to begin another."""
    for rung in reversed(rungs):
        there = sorted(losses[rung], key=lambda number: (losses[rung][number], number))
        for number in there[: len(there) // eta]:
            if number not in promoted[rung]:
                return number, rung
    return None


@settings(max_examples=30)
@given(seed=strategies.seeds(), eta=st.integers(2, 4))
def test_promotion_is_that_of_the_paper(seed, eta):
    """With one worker: what goes on at once is what Algorithm 2 would promote next or later."""
    rng, rungs, epochs = strategies.generator(seed), (1, eta), eta * eta
    score = rng.random((40, epochs + 1))

    def child(trial):
        for epoch in range(1, epochs + 1):
            yield Report(trial.number, epoch, {"val_accuracy": score[trial.number, epoch]})

    history = played(PromotingASHA(eta=eta), 40, epochs, child=child).history
    losses = {rung: {} for rung in (*rungs, epochs)}
    promoted = {rung: set() for rung in rungs}
    begun = 0
    while (found := job(rungs, losses, promoted, eta)) or begun < 40:
        number, rung = found or (begun, None)
        begun += found is None
        if rung is not None:
            promoted[rung].add(number)
        there = rungs[0] if rung is None else rung * eta
        losses[there][number] = -score[number, there]
    for rung in (*rungs, epochs):
        assert set(history.at(rung)) == set(losses[rung])


def test_promotion_pauses_who_must_wait_and_begins_with_the_highest_rung():
    scheduler, history = PromotingASHA(eta=2), History()

    def decided(number, epoch, loss):
        if epoch == 1:
            history.apply(Started(number, Architecture({}), str(number), 9, seed=0))
        report = Report(number, epoch, {"val_accuracy": -loss})
        history.apply(report)
        verdict = scheduler.decide(report, history)
        if verdict is Verdict.STOP:
            history.apply(Finished(number, stopped=True))
        return verdict

    def next_up():
        return scheduler.direct(history, SPACE, strategies.generator(0), closed=False)

    assert decided(0, 1, 0.1) is Verdict.STOP  # half of one is none
    assert decided(1, 1, 0.5) is Verdict.STOP
    assert next_up() == Resume(0)
    history.apply(Resumed(0, 0.0))
    assert decided(0, 2, 0.1) is Verdict.STOP
    assert decided(2, 1, 0.05) is Verdict.GO  # the best of three
    assert decided(2, 2, 0.2) is Verdict.STOP
    for number, loss in ((3, 0.3), (4, 0.4), (5, 0.6)):
        assert decided(number, 1, loss) is Verdict.STOP
    assert next_up() == Resume(0)  # the best of two at the second rung
    history.apply(Resumed(0, 0.0))
    assert next_up() == Resume(3)  # the third of six at the first


# Several objectives


def pairs(count):
    number = st.integers(-5, 5).map(float)
    return st.lists(st.tuples(*[number] * count), min_size=1, max_size=30)


def verdicts(scheduler, rows):
    objectives = tuple(Objective(f"m{i}", "min") for i in range(len(rows[0])))
    history = strategies.replay((), objectives)
    for number, row in enumerate(rows):
        history.apply(Started(number, Architecture({"a": number}), str(number), 3, seed=0))
        report = Report(number, 1, {f"m{i}": value for i, value in enumerate(row)})
        history.apply(report)
        yield (
            scheduler.decide(report, history),
            replace(scheduler).decide(report, history),
        )


@given(pairs(1), st.integers(2, 4))
def test_with_one_objective_it_is_asha(rows, eta):
    assert [*verdicts(MOASHA(eta=eta), rows)] == [*verdicts(ASHA(eta=eta, recent=None), rows)]


@given(pairs(2), st.integers(2, 4))
def test_fronts_go_on_in_their_order(rows, eta):
    for count, (verdict, fresh) in enumerate(verdicts(MOASHA(eta=eta), rows), start=1):
        assert verdict is fresh
        seen, own = np.array(rows[:count]), np.array(rows[count - 1])
        worse = [(one <= other).all() and (one < other).any() for one in seen for other in seen]
        dominates = np.reshape(worse, (count, count))
        front, left, before = 0, np.arange(count), 0
        while True:
            first = left[~dominates[np.ix_(left, left)].any(axis=0)]
            if count - 1 in first:
                break
            front, before, left = front + 1, before + len(first), np.setdiff1d(left, first)
        quota = math.ceil(count / eta)
        if before >= quota:
            assert verdict.value == "stop"
        elif before + len(first) <= quota or (seen[first] == own).all():
            assert verdict.value == "go"


# Extrapolation


def test_the_chance_of_a_power_law_is_calibrated():
    rng, below = strategies.generator(0), []
    for _ in range(400):
        decay, noise = np.exp(rng.uniform(np.log(0.1), np.log(3.0))), 0.01
        epochs = np.arange(1, 41)
        curve = rng.normal() + rng.normal() * epochs**-decay + rng.normal(0, noise, 40)
        at = curve[-1] + rng.normal(0, 3 * noise)
        told = [*zip(epochs[:15].tolist(), curve[:15].tolist(), strict=True)]
        below.append((chance_below(at, told, 40), curve[-1] < at))
    chances, truth = np.array(below, float).T
    assert abs(chances.mean() - truth.mean()) < 0.06
    for low, high in ((0.0, 0.25), (0.25, 0.75), (0.75, 1.0)):
        here = (chances >= low) & (chances <= high)
        assert abs(chances[here].mean() - truth[here].mean()) < 0.12


# PBT


def offspring(history):
    return [trial for trial in history.trials.values() if trial.started.begin]


def test_a_population_is_the_same_whoever_is_faster():
    alone = played(make("pbt"), 100, 9)
    for seed in range(5):
        among = played(make("pbt"), 100, 9, workers=seed + 2, order=strategies.generator(seed))
        assert [t.started.architecture for t in among.history.trials.values()] == [
            t.started.architecture for t in alone.history.trials.values()
        ]
        assert {n: t.losses for n, t in among.history.trials.items()} == {
            n: t.losses for n, t in alone.history.trials.items()
        }


def test_children_of_the_strong_replace_the_weak():
    run = played(make("pbt"), 100, 9)
    history = run.history
    assert len(history.trials) == 8 + 2 * 4
    for barrier in (2, 4, 6, 8):
        ranked = sorted(history.at(barrier), key=lambda n: history.at(barrier)[n])
        children = [trial for trial in offspring(history) if trial.started.begin == barrier]
        assert {trial.started.parent for trial in children} <= set(ranked[:2])
        gone = {n for n in ranked if history.trials[n].epoch == barrier}
        assert gone == set(ranked[-2:])
        assert len(ranked) == 8
    assert sum(trial.epoch == 9 for trial in history.trials.values()) == 8
    for child in offspring(history):
        assert SPACE.architecture(child.architecture) == child.architecture
        assert child.started.inherits
        assert 0.01 <= child.architecture["training.lr"] <= 1.0
    assert run.conductor.finished


def test_once_no_more_may_begin_the_weak_stay():
    history = played(make("pbt"), 9, 9).history
    assert len(history.trials) == 9
    assert sum(trial.epoch == 9 for trial in history.trials.values()) == 8


def test_a_barrier_that_was_left_breeds_no_more_children():
    short = played(make("pbt"), 9, 9)
    more = Run(
        Plan(SPACE, make_searcher("random", SPACE), make("pbt"), 100, 9, seed=0), short.events
    ).to_end()
    assert timeless(more.events) == timeless(short.events)
    halfway = next(i for i, event in enumerate(short.events) if isinstance(event, Resumed)) + 1
    plan = Plan(SPACE, make_searcher("random", SPACE), make("pbt"), 100, 9, seed=0)
    on = Run(plan, short.events[:halfway]).to_end().history
    assert sum(trial.started.begin == 2 for trial in on.trials.values()) == 1
    assert sum(trial.epoch == 9 for trial in on.trials.values()) == 8


@given(
    st.lists(st.integers(0, 9), max_size=30), st.integers(2, 4), st.integers(0, 3), st.booleans()
)
def test_who_was_once_out_of_reach_is_never_promoted(losses, eta, spare, at_once):
    """Whether it is asked after every trial or only at the end."""
    scheduler, history = PromotingASHA(eta=eta, spare=spare), History()
    contenders = []
    for number, loss in enumerate(losses):
        history.apply(Started(number, Architecture({}), str(number), 9, seed=0))
        history.apply(Report(number, 1, {"val_accuracy": -float(loss)}))
        history.apply(Finished(number, stopped=True))
        ranked = sorted(range(number + 1), key=lambda one: (losses[one], one))
        room = len(ranked) // eta + spare
        contenders = [one for one in (*contenders, number) if ranked.index(one) < room]
        if at_once or number == len(losses) - 1:
            expected = sorted(contenders, key=ranked.index)
            assert [*scheduler.keeps(history)] == expected
