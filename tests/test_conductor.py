"""The conductor's promises; there is no Ray in sight."""

import itertools
import math
from dataclasses import dataclass, replace
from signal import SIGTERM

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from local_runs import Run, learn, stumble, timeless

from raynas.errors import ConfigError, SearcherError, SpaceError
from raynas.execution.interruption import Interruption
from raynas.execution.limits import Limits
from raynas.execution.plan import Plan
from raynas.rng import training_seed
from raynas.schedulers import SCHEDULERS, Verdict
from raynas.schedulers.asha import ASHA
from raynas.schedulers.run_to_end import RunToEnd
from raynas.searchers import SEARCHERS
from raynas.searchers.random import RandomSearch
from raynas.space import Architecture, Choice, Int, Repeat, Space
from raynas.trial import Failed, Fault, Finished, Proposal, Report, Resumed, Retried, Started

SPACE = Space(
    {
        "op": Choice({"conv": {"kernel": Choice((3, 5))}, "pool": None}),
        "layers": Repeat({"width": Choice((16, 32))}, 1, 2),
        "bias": Choice((True, False)),
    }
)
SMALL = {"evolution": {"population_size": 4, "tournament_size": 2}}  # so that little is a lot


def plan(searcher="random", scheduler="none", trials=14, epochs=4, seed=0):
    return Plan(
        SPACE,
        SEARCHERS[searcher](SPACE, **SMALL.get(searcher, {})),
        SCHEDULERS[scheduler](),
        trials,
        epochs,
        seed,
    )


def scripted(*proposals, scheduler=None, epochs=3):
    """Plan a search in which trial n is the nth proposal, an exception being raised."""
    space = Space({"op": Choice(("a", "b", "c"))})
    searcher = Script(tuple(proposals))
    return Plan(space, searcher, scheduler or RunToEnd(), len(proposals), epochs, seed=0)


def of(op, **rest):
    return Proposal(Architecture({"op": op}), **rest)


@dataclass(frozen=True, slots=True)
class Script:
    proposals: tuple

    def propose(self, history, rng):  # noqa: ARG002 - by contract
        proposal = dict(enumerate(self.proposals)).get(len(history.trials))
        if isinstance(proposal, Exception):
            raise proposal
        return proposal


@dataclass(frozen=True, slots=True)
class Raises:
    """A scheduler with a fault that shows in one trial only."""

    number: int

    def check(self, epochs):
        pass

    def decide(self, report, history):  # noqa: ARG002 - by contract
        if report.number == self.number:
            raise ZeroDivisionError("no rungs")
        return Verdict.GO


# All schedulers with those who use what a history has to tell in different ways, all searchers
# with those who end trials in different ways.
QUICK = {"random", "evolution"}
ALL = sorted(
    {*itertools.product([*QUICK, "ppo", "auto"], SCHEDULERS)}
    | {*itertools.product(SEARCHERS, ["none", "asha", "asha_promotion", "pbt"])}
)


@pytest.mark.parametrize(("searcher", "scheduler"), ALL)
def test_one_worker_and_the_same_seed_give_the_same_run(searcher, scheduler):
    todo = plan(searcher, scheduler, seed=5)
    one, other = (Run(todo).to_end(child=stumble) for _ in range(2))
    assert one.events == other.events
    another = Run(plan(searcher, scheduler, seed=6)).to_end(child=stumble)
    assert another.events != one.events


@pytest.mark.parametrize(("searcher", "scheduler"), ALL)
def test_a_run_resumed_from_a_prefix_ends_as_if_never_interrupted(searcher, scheduler):
    whole = Run(plan(searcher, scheduler)).to_end(child=stumble)
    assert {type(event) for event in whole.events} >= {Started, Report, Finished, Failed}
    for length in range(0, len(whole.events), 1 if searcher in QUICK else 7):
        resumed = Run(plan(searcher, scheduler), whole.events[:length]).to_end(child=stumble)
        assert timeless(resumed.events) == timeless(whole.events), f"after {length} events"


def test_a_repeat_stays_one_after_any_kill():
    todo = scripted(of("a"), of("a", repeat=True), of("a"))
    whole = Run(todo).to_end()
    for length in range(len(whole.events)):
        resumed = Run(todo, whole.events[:length]).to_end()
        assert timeless(resumed.events) == timeless(whole.events), f"after {length} events"


@settings(max_examples=40)
@given(st.data())
def test_with_any_workers_and_kills_every_trial_ends_once(data):
    scheduler = data.draw(st.sampled_from([*SCHEDULERS]))
    todo = plan(data.draw(st.sampled_from(["random", "evolution"])), scheduler, trials=9)
    run = Run(todo)
    while not run.conductor.finished:
        order = np.random.default_rng(data.draw(st.integers(0, 99)))
        run.to_end(workers=data.draw(st.integers(1, 4)), order=order, child=stumble)
        if data.draw(st.booleans()):
            run = Run(todo, run.events[: data.draw(st.integers(0, len(run.events)))])
    ends = [event.number for event in run.events if isinstance(event, Finished | Failed)]
    resumed = [event.number for event in run.events if isinstance(event, Resumed)]
    begun = [event.number for event in run.events if isinstance(event, Started)]
    assert sorted(ends) == sorted([*begun, *resumed])
    assert begun == list(range(len(begun)))
    assert run.history.trained == 9 or scheduler == "pbt"
    assert not run.history.running


def test_what_is_known_is_answered():
    run = Run(scripted(of("a"), of("b"), of("a"), of("a", epochs=2), of("b"))).to_end()
    answers = {trial.number: trial.outcome.answered_by for trial in run.history.finished}
    assert answers == {0: None, 1: None, 2: 0, 3: 0, 4: 1}
    assert run.history.trials[2].metrics == run.history.trials[0].metrics
    assert run.history.trials[2].seconds == 0
    assert run.conductor.finished


def test_less_than_is_asked_for_is_no_answer():
    run = Run(scripted(of("a", epochs=1), of("a"), of("a", epochs=99))).to_end()
    trained = [trial.trained for trial in run.history.trials.values()]
    assert trained == [True, True, False]
    assert run.history.trials[2].started.epochs == 3


def test_a_trial_that_was_stopped_early_answers_for_its_network():
    best_first = Run(scripted(of("a"), of("b"), of("b"), scheduler=ASHA(eta=2)))
    scores = {"a": 0.9, "b": 0.1}

    def child(trial):
        for epoch in range(1, 4):
            yield Report(trial.number, epoch, {"val_accuracy": scores[trial.architecture["op"]]})

    history = best_first.to_end(child=child).history
    assert [trial.epoch for trial in history.trials.values()] == [3, 1, 1]
    assert history.trials[2].outcome.answered_by == 1
    assert history.trials[2].stopped


def test_a_repeat_is_trained_again_under_another_seed():
    run = Run(scripted(of("a"), of("a", repeat=True), of("a"))).to_end()
    first, again, answered = run.history.trials.values()
    assert again.trained
    assert (first.started.seed, again.started.seed) == (training_seed(0, 0), training_seed(0, 1))
    assert answered.outcome.answered_by == 0


def failing(reason, *, cause, among):
    def child(trial):
        if trial.number in among:
            yield Failed(trial.number, reason, cause=cause)
        yield from learn(trial)

    return child


def test_a_failure_is_answered_as_a_failure():
    child = failing("it cannot be built", cause="architecture", among={0})
    run = Run(scripted(of("a"), of("a"))).to_end(child=child)
    answer = run.history.trials[1].outcome
    assert (answer.reason, answer.answered_by) == ("it cannot be built", 0)
    assert not run.history.finished


def test_a_lost_worker_says_nothing_about_the_network():
    child = failing("its worker was lost", cause="circumstances", among={0})
    run = Run(scripted(of("a"), of("a"))).to_end(child=child)
    assert run.history.trials[0].outcome.cause == "circumstances"
    assert run.history.trials[1].trained


def test_half_trained_trials_come_first_and_their_old_reports_are_passed_over():
    todo = scripted(of("a"), of("b"), of("c"))
    run = Run(todo)
    a, b = run.conductor.next(), run.conductor.next()
    assert run.conductor.report(next(learn(b))) is Verdict.GO
    resumed = Run(todo, run.events)
    assert [resumed.conductor.next().number for _ in range(3)] == [a.number, b.number, 2]
    before = list(resumed.events)
    assert resumed.conductor.report(next(learn(b))) is Verdict.GO
    assert resumed.events == before


def test_more_trials_extend_a_run_and_keep_what_it_holds():
    short = Run(plan("evolution", "asha", trials=6)).to_end()
    long = Run(plan("evolution", "asha", trials=14), list(short.events)).to_end()
    assert timeless(long.events) == timeless(Run(plan("evolution", "asha")).to_end().events)


def test_a_scheduler_that_raises_ends_its_trial_and_the_run_goes_on():
    run = Run(scripted(of("a"), of("b"), of("c"), scheduler=Raises(1))).to_end()
    assert [trial.number for trial in run.history.finished] == [0, 2]
    (failed,) = run.history.failed
    assert failed.outcome.reason == "the scheduler raised ZeroDivisionError: no rungs"
    assert 'raise ZeroDivisionError("no rungs")' in failed.outcome.detail


@pytest.mark.parametrize(
    ("proposal", "says"),
    [
        (ZeroDivisionError("no parents"), "trial 1: it raised ZeroDivisionError: no parents"),
        (SpaceError("nothing left"), "trial 1: nothing left"),
        (of("d"), "trial 1: op must be .* got 'd'"),
        (Proposal(Architecture({"op": "a", "width": 3})), "no decision 'width'"),
        (
            Architecture({"op": "a"}),
            "it must return a raynas.trial.Proposal or None, got Architecture",
        ),
    ],
)
def test_a_searcher_that_fails_is_named_and_nothing_is_written_of_it(proposal, says):
    run = Run(scripted(of("a"), proposal))
    run.conductor.next()
    before = list(run.events)
    with pytest.raises(SearcherError, match=says) as error:
        run.conductor.next()
    assert "Script(" in str(error.value)
    assert error.value.__cause__ is not None
    assert run.events == before
    mended = Run(scripted(of("a"), of("b")), before).to_end()
    assert [trial.number for trial in mended.history.finished] == [0, 1]


def test_an_exhausted_searcher_ends_the_run():
    run = Run(scripted(of("a"), None, of("b"))).to_end()
    assert len(run.history.trials) == 1
    assert run.conductor.finished
    assert run.conductor.next() is None


def test_a_tiny_space_costs_no_more_training_than_it_has_networks():
    space = Space({"op": Choice(("a", "b")), "depth": Int(1, 2)})
    run = Run(Plan(space, RandomSearch(space), RunToEnd(), 200, 2, seed=1)).to_end()
    assert run.history.trained == run.history.networks == 4
    assert len(run.history.trials) < 60, "it is over soon after all are known"
    assert run.conductor.finished
    resumed = Run(Plan(space, RandomSearch(space), RunToEnd(), 200, 2, seed=1), list(run.events))
    assert resumed.conductor.finished


def test_a_space_whose_networks_all_fail_comes_to_an_end():
    space = Space({"op": Choice(("a", "b", "c"))})
    todo = Plan(space, RandomSearch(space), RunToEnd(), math.inf, 2, seed=1)
    run = Run(todo).to_end(child=lambda trial: iter([Failed(trial.number, "it cannot be built")]))
    assert run.history.trained == 3


def all_fail(run, reason="no layer {} there", **more):
    """Let all trials fail, each with its number in the reason; return how many there are."""
    while trial := run.conductor.next():
        run.conductor.fail(trial.number, reason.format(trial.number), **more)
    return sum(trial.trained for trial in run.history.failed)


def test_a_run_whose_first_ten_trials_fail_alike_says_so_and_ends():
    run = Run(plan())
    says = "the first 10 trials all failed for the same reason: no layer [0-9]+ there"
    with pytest.raises(ConfigError, match=says):
        all_fail(run)
    assert run.history.trained == 10


def test_a_run_goes_on_if_its_failures_say_less_than_that():
    begun = Run(plan())
    begun.conductor.report(next(learn(begun.conductor.next())))
    assert all_fail(begun) == 13
    various = Run(plan())
    various.conductor.fail(various.conductor.next().number, "no kernel")
    assert all_fail(various) == 14
    assert all_fail(Run(plan()), cause="part") == 14


def test_how_many_may_fail_alike_is_as_asked():
    run = Run(replace(plan(), limits=Limits(max_failures=12)))
    assert all_fail(run) == 12
    assert run.conductor.limit == "max_failures"


def test_what_is_answered_leaves_the_trials_to_others():
    run = Run(replace(scripted(of("a"), of("a"), of("a"), of("b"), of("c")), trials=2)).to_end()
    trained = [trial.number for trial in run.history.trials.values() if trial.trained]
    assert trained == [0, 3]
    assert not run.conductor.exhausted


def test_a_limit_ends_even_a_search_that_only_repeats_itself():
    space = Space({"op": Choice(("a", "b", "c")), "width": Int(1, 10**6)})
    times = iter(range(10**6))
    same = Script((Proposal(space.architecture({"op": "a", "width": 7})),) * 10**4)
    run = Run(Plan(space, same, RunToEnd(), math.inf, 1, 0, Limits(time=100)))
    run.conductor.clock = lambda: next(times)
    run.conductor.open(1, 0)
    run.to_end()
    assert run.conductor.limit == "time"
    assert len(run.history.trials) < 100


def retried_once(todo, events=()):
    """Play one worker whose trial 1 runs out of memory after an epoch while it shares a device."""
    run = Run(todo, list(events))
    while trial := run.conductor.next():
        for report in learn(trial):
            if trial.number == 1 and report.epoch == 2 and not trial.tries("gpu"):
                assert run.conductor.retry(1, "out of memory", "gpu")
                assert not run.conductor.retry(1, "out of memory", "gpu")
                break
            if run.conductor.report(report) is Verdict.STOP:
                break
    return run


def test_a_trial_short_of_memory_comes_next_and_alone_whenever_it_is_killed():
    todo = scripted(of("a"), of("b"), of("c"))
    whole = retried_once(todo)
    assert [trial.tries("gpu") for trial in whole.history.trials.values()] == [0, 1, 0]
    assert [type(event) for event in whole.events if event.number == 1] == [
        *(Started, Report, Retried, Report, Report, Finished),
    ]
    for length in range(len(whole.events)):
        resumed = retried_once(todo, whole.events[:length])
        assert timeless(resumed.events) == timeless(whole.events), f"after {length} events"


def test_a_network_too_large_for_a_device_is_not_tried_again():
    run = Run(scripted(of("a"), of("a")))
    run.conductor.fail(run.conductor.next().number, "out of memory", out_of_memory=True)
    assert run.conductor.next() is None
    again = run.history.trials[1].outcome
    assert (again.out_of_memory, again.answered_by) == (True, 0)


def test_a_proposal_with_a_fault_is_not_trained_wherever_the_run_is_killed():
    todo = scripted(of("a"), of("b", fault=Fault("no proxy could score the network")), of("c"))
    whole = Run(todo).to_end()
    (failed,) = whole.history.failed
    assert (failed.number, failed.outcome.cause) == (1, "part")
    for length in range(len(whole.events)):
        resumed = Run(todo, whole.events[:length]).to_end()
        assert timeless(resumed.events) == timeless(whole.events), f"after {length} events"


def test_a_lost_worker_is_replaced_twice_and_says_nothing_of_the_network():
    run = Run(scripted(of("a"), of("a")))
    number = run.conductor.next().number
    for _ in range(2):
        assert run.conductor.retry(number, "its worker was lost", "worker")
        assert run.conductor.next().number == number
    assert not run.conductor.retry(number, "its worker was lost", "worker")
    run.conductor.fail(number, "its worker was lost", cause="circumstances")
    run.to_end()
    assert isinstance(run.history.trials[1].outcome, Finished)  # the same network, trained


@pytest.mark.parametrize(("remedy", "times"), [("worker", 2), ("other_node", 9)])
def test_losses_are_counted_anew_after_each_epoch(remedy, times):
    run = Run(replace(scripted(of("a")), epochs=3))
    number = run.conductor.next().number
    for epoch in (1, 2, 3):
        for _ in range(times):
            assert run.conductor.retry(number, "it was lost", remedy)
            assert run.conductor.next().number == number
        assert not run.conductor.retry(number, "it was lost", remedy)
        run.conductor.report(Report(number, epoch, {"val_accuracy": 0.5}))
    assert isinstance(run.history.trials[number].outcome, Finished)


def test_where_networks_raise_is_remembered_when_the_run_is_resumed():
    detail = 'Traceback (most recent call last):\n  File "space.py", line 7, in build\nKeyError: 1'
    run = Run(scripted(of("a"), of("b")))
    run.conductor.fail(run.conductor.next().number, "KeyError: 1", detail=detail)
    assert [*run.conductor.confirmed] == ["space.py:7"]
    assert [*Run(run.plan, run.events).conductor.confirmed] == ["space.py:7"]


def test_a_searcher_that_cannot_choose_hands_over_the_best_score(caplog):
    @dataclass(frozen=True, slots=True)
    class Raises(Script):
        def recommend(self, history):  # noqa: ARG002 - by contract
            raise ZeroDivisionError("nothing to divide")

    todo = replace(scripted(of("a"), of("b")), searcher=Raises((of("a"), of("b"))))
    run = Run(todo).to_end()
    assert run.conductor.recommended is run.history.best
    assert run.conductor.recommended is run.history.best
    assert caplog.text.count("ZeroDivisionError: nothing to divide when it was asked for") == 1


def test_a_trial_that_a_limit_ends_in_mid_epoch_goes_on_when_the_run_is_resumed():
    run = Run(scripted(of("a"), of("b"))).opened()
    reported, silent = run.conductor.next().number, run.conductor.next().number
    assert run.conductor.report(next(learn(run.history.trials[reported]))) is Verdict.GO
    run.conductor.cut(reported)
    run.conductor.cut(silent)
    assert run.history.trials[reported].cut
    assert run.history.trials[silent].outcome is None
    resumed = Run(run.plan, run.events)
    assert {resumed.conductor.next().number for _ in range(2)} == {reported, silent}
    assert isinstance(resumed.events[-1], Resumed)


def test_a_signal_ends_the_run_and_what_it_ends_goes_on_when_the_run_is_resumed():
    run = Run(scripted(of("a"), of("b")))
    assert run.conductor.recommended is None
    run.conductor.interruption = asked = Interruption()
    trial = run.conductor.next()
    asked.signal = SIGTERM
    assert run.conductor.limit == "interruption"
    assert run.conductor.finished
    assert run.conductor.next() is None
    assert run.conductor.report(next(learn(trial))) is Verdict.STOP
    assert [type(event) for event in run.events] == [Started, Report]
    resumed = Run(run.plan, run.events)
    assert [resumed.conductor.next().number for _ in range(2)] == [0, 1]
