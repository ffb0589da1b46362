"""Limits on metrics: how they are written, who keeps them, and what searchers learn of them."""

from dataclasses import replace

import numpy as np
import pytest
import strategies
from local_runs import Run
from test_conductor import plan
from two_losses import LETTERS

from raynas.errors import ConfigError, RefusedError
from raynas.execution.chosen import chosen
from raynas.execution.constraint_check import ConstraintCheck
from raynas.execution.plan import Plan
from raynas.execution.proposals import answer
from raynas.execution.ray_tune.scheduler_replay import _result
from raynas.experiment.amounts import constraint
from raynas.experiment.experiment import Experiment
from raynas.insight.front import front
from raynas.insight.outcome_counts import OutcomeCounts
from raynas.schedulers import SCHEDULERS
from raynas.schedulers import make as make_scheduler
from raynas.searchers import check, make
from raynas.searchers.controller.mnas import MnasReward
from raynas.searchers.requirements import Requirements
from raynas.space import Choice, Float, Space
from raynas.trial import (
    Constraint,
    Failed,
    Finished,
    History,
    Objective,
    Report,
    Started,
    codec,
    violation,
)

UP = Objective("up", "max")
MOST = Constraint("cost", 0.3)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("params<=1M", Constraint("params", 1e6)),
        (" latency_ms <= 5 ", Constraint("latency_ms", 5.0)),
        ("val_recall>=90%", Constraint("val_recall", 0.9, ">=")),
        ("flops<=2.5e8", Constraint("flops", 2.5e8)),
        ("params<=300k", Constraint("params", 3e5)),
    ],
)
def test_a_constraint_is_read(text, read):
    assert constraint(text) == read


@pytest.mark.parametrize(
    "text", ["params", "params<1M", "params<=", "params<=nan", "<=3", "params<=1T", "a<=1<=2", ""]
)
def test_what_is_no_constraint_is_refused(text):
    with pytest.raises(ConfigError, match="a constraint must be METRIC<=VALUE"):
        constraint(text)


def test_constraints_that_contradict_are_refused():
    with pytest.raises(ConfigError, match=r"cannot be at least 2000 and at most 1000"):
        Experiment(constraint=("params<=1k", "params>=2k"))
    with pytest.raises(ConfigError, match=r"params <= twice"):
        Experiment(constraint=("params<=1k", "params<=2k"))
    assert Experiment(constraint=("params<=2k", "params>=1k")).constraints[1].direction == ">="


def test_a_violation_is_a_share_of_the_limit():
    both = Constraint("a", 10.0), Constraint("b", 0.5, ">=")
    assert violation(both, {"a": 10.0, "b": 0.5}) == 0
    assert violation(both, {"a": 15.0, "b": 0.25}) == pytest.approx(0.5 + 0.5)
    assert violation(both, {"a": np.nan, "b": 1.0}) == np.inf
    with pytest.raises(ConfigError, match="constraint: no metric 'b'"):
        violation(both, {"a": 1.0})


def share(architecture, letter):
    return [*architecture.values()].count(letter) / 6


def told(searcher, trials, seed=0, constraints=(MOST,), objectives=(UP,)):
    """Search for letters a and b; each a costs, and at most 30 % of the letters may be a."""
    history = History(objectives, constraints=constraints)
    for number in range(trials):
        rng = np.random.default_rng((seed, number))
        drawn = searcher.propose(history, rng).architecture
        history.apply(Started(number, drawn, LETTERS.identity(drawn), 1, seed=0))
        cost, up = share(drawn, "a"), share(drawn, "a") + share(drawn, "b") / 2
        history.apply(Report(number, 1, {"up": up, "cost": cost, "down": share(drawn, "c")}))
        history.apply(Finished(number))
    return history


def test_the_best_trial_keeps_the_constraints():
    history = told(make("random", LETTERS), 60)
    kept = [one for one in history.finished if one.metrics["cost"] <= MOST.limit]
    assert 0 < len(kept) < 60
    assert history.best.metrics["up"] == max(one.metrics["up"] for one in kept)
    worst = max(history.finished, key=lambda one: one.metrics["cost"])
    assert worst.violation == pytest.approx(worst.metrics["cost"] / MOST.limit - 1)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("gp", {}),
        ("nsga2", {"population_size": 10}),
        ("evolution", {"population_size": 10, "tournament_size": 5}),
        ("optuna", {"sampler": "tpe"}),
        ("optuna", {"sampler": "nsgaii", "sampler_options": {"population_size": 10}}),
    ],
)
def test_searchers_learn_what_keeps_a_constraint(name, options):
    """Later proposals keep it more often than those without it."""
    trials = 30 if name == "gp" else 60
    free, bound = (
        told(make(name, LETTERS, options), trials, constraints=limits) for limits in ((), (MOST,))
    )
    broken = [
        np.mean([one.metrics["cost"] > MOST.limit for one in history.finished[trials // 2 :]])
        for history in (free, bound)
    ]
    assert broken[1] < 0.6 * broken[0]


def test_ehvi_weighs_what_it_gains_by_the_probability_to_keep_constraints():
    searcher, objectives = make("ehvi", LETTERS), (UP, Objective("down", "min"))
    history = told(searcher, 34, objectives=objectives)
    assert np.mean([one.violation > 0 for one in history.finished[24:]]) < 0.4
    losses = {one.number: one.violation for one in history.finished}
    assert not any(losses[number] for number in front(history))
    assert not any(losses[number] for number in searcher.recommendation(history).front)


def test_who_does_not_learn_constraints_says_so():
    required = Requirements((UP,), 1, learns_constraints=True)
    for name, options in (("bohb", {}), ("optuna", {"sampler": "random"})):
        if name == "optuna":
            check(make(name, LETTERS, options), required)  # random search needs to learn nothing
        else:
            with pytest.raises(ConfigError, match="does not learn which networks keep"):
                check(make(name, LETTERS, options), required)


def test_a_trial_that_breaks_a_constraint_is_not_handed_over():
    searcher = make("random", LETTERS)
    history = told(searcher, 5, constraints=(Constraint("cost", -1.0),))
    assert history.best is not None
    assert chosen(searcher, history) is None
    assert front(replace(history, objectives=(UP, Objective("down", "min")))) == []


def test_what_is_known_refuses_before_it_is_measured():
    def measure(_):
        raise AssertionError("must not be measured")

    gate = ConstraintCheck((Constraint("params", 10.0), Constraint("latency_ms", 5.0)), measure)
    with pytest.raises(RefusedError, match="params must be at most 10, got 11"):
        gate.facts({}, {"params": 11.0})
    slow = replace(gate, probe=lambda _: {"latency_ms": 6.0})
    with pytest.raises(RefusedError, match="latency_ms must be at most 5, got 6"):
        slow.facts({}, {"params": 9.0})
    fast = replace(gate, probe=lambda _: {"latency_ms": 4.0})
    assert fast.facts({}, {"params": 9.0}) == {"params": 9.0, "latency_ms": 4.0}


def refused(number, architecture):
    reason = "params must be at most 10, got 11"
    return (
        Started(number, architecture, LETTERS.identity(architecture), 1, seed=0),
        Failed(number, reason, refused=True),
    )


def test_a_refusal_is_no_trial_and_no_score():
    drawn = LETTERS.sample(strategies.generator(0))
    history = History((UP,), constraints=(MOST,))
    for event in refused(0, drawn):
        assert codec.from_data(codec.to_data(event)) == event
        history.apply(event)
    trial = history.trials[0]
    assert trial.refused
    assert trial.infeasible
    assert not trial.trained
    assert history.trained == 0
    assert history.best is None
    counts = OutcomeCounts.of(history)
    assert (counts.refused, counts.failed, counts.ended) == (1, 0, 0)
    assert "1 refused by constraints" in str(counts)


def test_the_same_architecture_is_refused_without_asking_again():
    drawn = LETTERS.sample(strategies.generator(0))
    history = History((UP,), constraints=(MOST,))
    for event in refused(0, drawn):
        history.apply(event)
    again = answer(Started(1, drawn, LETTERS.identity(drawn), 1, seed=0), history)
    assert again.refused
    assert (again.number, again.answered_by) == (1, 0)
    # An equal network may be built with layers that do nothing, or without.
    other = LETTERS.sample(strategies.generator(1))
    assert answer(Started(1, other, LETTERS.identity(drawn), 1, seed=0), history) is None


def led(child, trials=14):
    run = Run(plan(trials=trials))
    run.history.constraints = (MOST,)

    def tell(event):
        conductor = run.conductor
        if isinstance(event, Failed):
            return conductor.fail(event.number, event.reason, refused=True)
        return conductor.report(event)

    run.opened()
    while trial := run.conductor.next():
        for event in child(trial):
            tell(event)
    return run


def never(trial):
    yield Failed(trial.number, f"cost must be at most 0.3, got {trial.number}")


def test_a_search_whose_networks_are_all_refused_ends_with_a_sentence():
    with pytest.raises(ConfigError, match="the last 100 proposals were refused before training"):
        led(never, trials=500)


def test_refused_trials_do_not_use_up_the_trials():
    def every_second(trial):
        if trial.number % 2:
            yield from never(trial)
        else:
            for epoch in range(1, 5):
                yield Report(trial.number, epoch, {"val_accuracy": 0.5, "cost": 0.1})

    history = led(every_second, trials=5).history
    assert history.trained == 5
    assert len(history.failed) >= 2


@pytest.mark.parametrize(
    ("kind", "cost", "reward"),
    [
        ("soft", 10.0, 0.8 * 2**-0.07),
        ("soft", 2.5, 0.8 * 0.5**-0.07),
        ("hard", 10.0, 0.4),
        ("hard", 2.5, 0.8),
    ],
)
def test_the_rewards_of_mnasnet(kind, cost, reward):
    history = History((UP, Objective("cost", "min")))
    drawn = LETTERS.sample(strategies.generator(0))
    history.apply(Started(0, drawn, "0", 1, seed=0))
    history.apply(Report(0, 1, {"up": 0.8, "cost": cost}))
    assert MnasReward(kind, 5.0).of(history.trials[0]) == pytest.approx(reward)


def test_a_controller_learns_by_the_reward_of_mnasnet():
    objectives = UP, Objective("cost", "min")
    options = {"reward": "hard", "reward_target": 0.3}
    searcher = make("ppo", LETTERS, options)
    check(searcher, Requirements(objectives, 1))
    history = told(searcher, 60, constraints=(), objectives=objectives)
    best = searcher.recommend(history)
    value = MnasReward("hard", 0.3)
    assert value.of(best) == max(map(value.of, history.finished))
    rewards = [*map(value.of, history.finished)]
    assert np.mean(rewards[40:]) > np.mean(rewards[:20])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reward": "hard"}, "need reward_target > 0"),
        ({"reward": "harsh", "reward_target": 1.0}, "no reward 'harsh'"),
        ({"reward_target": 1.0}, "reward_target needs reward"),
    ],
)
def test_bad_rewards_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        make("reinforce", LETTERS, options)


def test_a_reward_needs_an_accuracy_and_a_cost():
    searcher = make("ppo", LETTERS, {"reward": "soft", "reward_target": 1.0})
    with pytest.raises(ConfigError, match="first one maximised and the second one minimised"):
        check(searcher, Requirements((UP,), 1))


# Schedulers

KNOBS = Space({"knob": Choice(range(40)), "training": {"lr": Float(0.01, 1.0, log=True)}})
TWO = (UP, Objective("down", "min"))


def constrained(name, objectives, sign):
    """Run a scheduler; half of the networks break the constraint, with the best or worst scores.

    How much they break it says the learning rate, so that no two break it equally.
    """

    def child(trial):
        breaks = trial.architecture["knob"] >= 20
        cost = 0.4 + trial.architecture["training.lr"] if breaks else 0.1
        rng = np.random.default_rng(trial.number)
        for epoch in range(trial.epoch + 1, trial.started.epochs + 1):
            up = (10.0 * sign if breaks else 0.0) + rng.normal() + epoch / 10
            yield Report(trial.number, epoch, {"up": up, "cost": cost, "down": rng.random() - up})

    started = Plan(KNOBS, make("random", KNOBS), make_scheduler(name), 40, 9, seed=3)
    return Run(started, objectives=objectives, constraints=(MOST,)).to_end(child=child).history


@pytest.mark.parametrize("objectives", [(UP,), TWO], ids=["one", "two"])
@pytest.mark.parametrize("name", SCHEDULERS)
def test_what_breaks_a_constraint_beats_nothing_that_keeps_it_whatever_its_score(name, objectives):
    best, worst = (constrained(name, objectives, sign) for sign in (1, -1))
    epochs = {number: trial.epoch for number, trial in best.trials.items()}
    assert epochs == {number: trial.epoch for number, trial in worst.trials.items()}
    kept, broken = (
        [one.epoch for one in best.trials.values() if bool(one.violation) is breaks]
        for breaks in (False, True)
    )
    assert kept
    assert broken
    assert np.mean(kept) > np.mean(broken) or name == "none"


def test_median_and_extrapolation_wait_for_a_trial_that_comes_to_keep_a_constraint():
    def child(trial):
        slow = trial.number == 8
        for epoch in range(1, 10):
            cost = 1 / epoch if slow else 0.1
            yield Report(trial.number, epoch, {"up": float(slow), "cost": cost})

    for name in ("median", "extrapolation"):
        options = {"grace_epochs": 4}
        begun = Plan(KNOBS, make("random", KNOBS), make_scheduler(name, options), 12, 9, seed=3)
        history = Run(begun, objectives=(UP,), constraints=(MOST,)).to_end(child=child).history
        assert history.trials[8].epoch == 9
        assert history.best.number == 8


def test_a_scheduler_of_ray_tune_gets_a_loss_above_all_others():
    history = History((UP,), constraints=(MOST,))
    history.apply(Started(0, KNOBS.sample(np.random.default_rng(0)), "0", 2, seed=0))
    told = [Report(0, epoch, {"up": 5.0, "cost": cost}) for epoch, cost in ((1, 0.6), (2, 0.3))]
    for report in told:
        history.apply(report)
    broken, kept = (_result(report, history)["loss"] for report in told)
    assert kept == -5.0
    assert broken == 2e30
