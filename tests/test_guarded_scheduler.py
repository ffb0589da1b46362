"""Schedulers that raise or talk nonsense: a trial fails by it, never the run."""

import re
from dataclasses import dataclass

import pytest
from local_runs import Run, learn, timeless

from raynas.errors import SchedulerError
from raynas.execution.limits import Limits
from raynas.execution.plan import Plan
from raynas.rng import proposal_rng
from raynas.schedulers import SCHEDULERS, Hold, Resume, Verdict
from raynas.schedulers.run_to_end import RunToEnd
from raynas.searchers import make
from raynas.searchers.inheriting import Inheriting
from raynas.searchers.random import RandomSearch
from raynas.space import Architecture, Choice, Space
from raynas.trial import Failed, Fault, Finished, Proposal, Resumed, Started

RAISE = object()
SPACE = Space({name: Choice(range(6)) for name in "abcd"})
FIRST = Architecture(dict.fromkeys("abcd", 0))


def plan(scheduler, trials=12, epochs=9, searcher=None, **limits):
    searcher = searcher or RandomSearch(SPACE)
    return Plan(SPACE, searcher, scheduler, trials, epochs, 0, Limits(**limits))


@dataclass(frozen=True)
class Faulty:
    """A director that, asked what comes next, does something else at times."""

    inner: object
    when: object
    instead: object = RAISE

    def check(self, epochs):
        self.inner.check(epochs)

    def decide(self, report, history):
        return self.inner.decide(report, history)

    def direct(self, history, space, rng, *, closed):
        if self.when(history):
            if self.instead is RAISE:
                raise ZeroDivisionError("no rungs")
            return self.instead
        return self.inner.direct(history, space, rng, closed=closed)

    def keeps(self, history):
        return self.inner.keeps(history)


def once_after(ends):
    """Say yes until a trial has failed by it, once so many have ended."""
    return lambda history: not history.failed and len(history.finished) >= ends


@pytest.mark.parametrize("name", ["asha_promotion", "halving", "hyperband", "pbt"])
@pytest.mark.parametrize("ends", [0, 1, 4, 9, 11, 12])
@pytest.mark.parametrize("workers", [1, 3])
def test_one_that_raises_now_costs_one_trial_wherever_it_happens(name, ends, workers):
    todo = plan(Faulty(SCHEDULERS[name](), once_after(ends)))
    whole = Run(todo).to_end(workers)
    assert whole.conductor.finished
    assert not whole.history.running
    assert len(whole.history.trials) == 12
    failed = [trial.outcome for trial in whole.history.failed]
    if ends == 12 and not failed:
        return  # nobody asked any more
    (fault,) = failed
    assert fault.cause == "part"
    says = "the scheduler raised ZeroDivisionError when it was asked what to train next: no rungs"
    assert fault.reason == says
    assert "in direct" in fault.detail
    assert max(trial.epoch for trial in whole.history.finished) == 9
    if workers == 1:
        for length in range(0, len(whole.events), 3):
            if whole.events[length] == fault:
                continue  # killed just before, it is trained after all
            resumed = Run(todo, whole.events[:length]).to_end()
            assert timeless(resumed.events) == timeless(whole.events), f"after {length} events"


def test_the_trial_that_was_to_begin_fails_and_none_more_than_was_asked_for():
    run = Run(plan(Faulty(SCHEDULERS["asha_promotion"](), once_after(2)))).to_end()
    (failed,) = run.history.failed
    assert not failed.reports
    last = [event for event in run.events if isinstance(event, Started)][-1]
    assert last.number == 11


def test_once_no_more_begin_the_one_stopped_last_fails_and_the_others_go_on():
    def when(history):
        return len(history.trials) == 9 and not history.running and not history.failed

    run = Run(plan(Faulty(SCHEDULERS["halving"](), when), trials=9)).to_end()
    (failed,) = run.history.failed
    at = next(i for i, event in enumerate(run.events) if isinstance(event, Failed))
    before = [event for event in run.events[:at] if isinstance(event, Finished)]
    assert run.events[at - 1] == Resumed(failed.number, run.events[at - 1].at)
    assert failed.number == before[-1].number
    assert sum(trial.epoch == 9 for trial in run.history.finished) == 1


class Silent:
    """A searcher that has nothing to propose."""

    def propose(self, history, rng):
        pass


def test_for_a_fault_no_network_begins_that_the_searcher_did_not_propose():
    run = Run(plan(Faulty(SCHEDULERS["pbt"](), lambda _: True), searcher=Silent())).to_end()
    assert not run.history.trials
    assert run.conductor.finished


def test_one_that_always_raises_is_given_up_and_mended_the_run_goes_on():
    run = Run(plan(Faulty(SCHEDULERS["pbt"](), lambda _: True)))
    says = r"no rungs \(6 times in succession\): correct"
    with pytest.raises(SchedulerError, match=says):
        run.to_end()
    assert len(run.history.failed) == len(run.history.trials) == 5
    assert not run.conductor.finished
    mended = Run(plan(SCHEDULERS["pbt"](), trials=40), run.events).to_end()
    assert sum(trial.epoch == 9 for trial in mended.history.finished) == 8


def test_one_that_raises_whenever_nothing_may_begin_ends_the_run_with_what_there_is():
    stuck = Faulty(SCHEDULERS["halving"](), lambda history: len(history.trials) == 4)
    run = Run(plan(stuck, trials=4)).to_end()
    assert run.conductor.finished
    assert len(run.history.failed) == 4  # those that were stopped, one after another
    assert {trial.outcome.cause for trial in run.history.failed} == {"part"}


@pytest.mark.parametrize(
    ("said", "says"),
    [
        (Hold.WAIT, "waits for trials, but none is running"),
        (Resume(99), "resumes trial 99, which it had not stopped"),
        (Resume(0), "resumes trial 0, which it had not stopped"),
        ("junk", "must return a Directive, got 'junk'"),
        (Proposal(Architecture({"a": 7})), "a must be .* got 7"),
        (
            Proposal(FIRST, parent=50),
            "names trial 50 as a parent",
        ),
    ],
)
def test_what_it_cannot_mean_is_a_fault_too(said, says):
    def when(history):
        return not history.failed and not history.running and len(history.trials) == 3

    run = Run(plan(Faulty(WithoutRungs(), when, said), epochs=2)).to_end()
    (failed,) = run.history.failed
    assert re.search(says, failed.outcome.reason)
    assert len(run.history.finished) == 11


class WithoutRungs(RunToEnd):
    def direct(self, history, space, rng, *, closed):
        pass

    def keeps(self, history):  # noqa: ARG002 - by contract
        return ()


class Unsure(RunToEnd):
    """A scheduler that decides on what is no verdict."""

    def decide(self, report, history):  # noqa: ARG002 - by contract
        return "stop" if report.number == 1 else Verdict.GO


def test_what_is_no_verdict_is_a_fault():
    run = Run(plan(Unsure(), trials=3)).to_end()
    (failed,) = run.history.failed
    assert failed.outcome.reason == "the scheduler must return a Verdict, got 'stop'"
    assert failed.number == 1


@dataclass(frozen=True)
class Raises(RunToEnd):
    """A scheduler that raises at every report but those of each ``period``-th trial."""

    period: int

    def decide(self, report, history):  # noqa: ARG002 - by contract
        if (report.number + 1) % self.period:
            raise ZeroDivisionError("no rungs")
        return Verdict.GO


def test_one_whose_verdicts_all_raise_is_given_up():
    run = Run(plan(Raises(period=99)))
    with pytest.raises(SchedulerError, match=r"no rungs \(6 times in succession\): correct"):
        run.to_end()
    assert len(run.history.failed) == len(run.history.trials) == 6


def test_one_with_a_verdict_between_its_faults_is_asked_again():
    run = Run(plan(Raises(period=6))).to_end()
    assert [trial.number for trial in run.history.finished] == [5, 11]
    assert len(run.history.failed) == 10


class Forgetful(WithoutRungs):
    def decide(self, report, history):  # noqa: ARG002 - by contract
        return Verdict.STOP if report.number % 2 else Verdict.GO

    def keeps(self, history):
        raise ZeroDivisionError(len(history.trials))


def test_where_keeps_raises_all_that_may_go_on_stays_and_that_is_said_once(caplog):
    run = Run(plan(Forgetful(), epochs=2)).to_end()
    assert run.conductor.needed == run.conductor.needed == {1, 3, 5, 7, 9, 11}
    (said,) = caplog.messages
    assert "all checkpoints are kept, because the scheduler raised ZeroDivisionError: 12" in said


def test_where_a_searchers_keeps_raises_all_that_was_trained_stays(caplog, monkeypatch):
    monkeypatch.setattr(Inheriting, "keeps", Forgetful.keeps)
    run = Run(plan(RunToEnd(), epochs=2, searcher=Inheriting(RandomSearch(SPACE))))
    run.to_end()
    assert run.conductor.needed == set(range(12))
    assert len(caplog.messages) == 1


# What a fault says of an architecture


def history_of(**how):
    """Sixteen trials, every fourth of which failed in that way after its first report."""
    run = Run(plan(RunToEnd(), trials=16, epochs=2))

    def child(trial):
        yield next(learn(trial))
        yield Failed(trial.number, "why not") if trial.number % 4 == 3 else [*learn(trial)][1]

    run.to_end(child=child)
    events = [
        Failed(event.number, "why not", **how) if isinstance(event, Failed) else event
        for event in run.events
    ]
    return Run(run.plan, events).history


@pytest.mark.parametrize("name", ["bohb", "optuna", "gp", "evolution", "nsga2", "npenas"])
def test_searchers_learn_no_more_from_a_fault_than_from_a_lost_worker(name):
    def proposed(**how):
        options = {"bohb": {"random_fraction": 0.0, "min_points": 3}}.get(name, {})
        options |= {"optuna": {"sampler_options": {"n_startup_trials": 4}}}.get(name, {})
        history = history_of(**how)
        searcher = make(name, SPACE, options)
        return [searcher.propose(history, proposal_rng(seed, 16)) for seed in range(12)]

    assert proposed(cause="part") == proposed(cause="circumstances")
    if name in {"bohb", "optuna"}:  # who learn from networks that fail by themselves
        assert proposed(cause="part") != proposed()


@dataclass(frozen=True)
class Once:
    """A scheduler that raises at the first report there is."""

    def check(self, epochs):
        pass

    def decide(self, report, history):
        if report.number == 0:
            raise ZeroDivisionError("no rungs")
        assert history
        return Verdict.GO


@dataclass(frozen=True)
class Same:
    fault: str = ""

    def propose(self, history, rng):  # noqa: ARG002 - by contract
        fault = "" if history.trials else self.fault
        return Proposal(FIRST, fault=Fault(fault, "where") if fault else None)


@pytest.mark.parametrize(
    ("scheduler", "searcher"),
    [(Once(), Same()), (RunToEnd(), Same(fault="the proxies raised ZeroDivisionError"))],
)
def test_what_a_scheduler_or_a_proxy_broke_is_trained_when_it_is_proposed_again(
    scheduler, searcher
):
    run = Run(plan(scheduler, trials=3, epochs=2, searcher=searcher)).to_end()
    first, again, answered, *_ = run.history.trials.values()
    assert first.outcome.cause == "part"
    assert first.outcome.detail
    assert [report.epoch for report in again.reports] == [1, 2]
    assert again.trained
    assert answered.outcome.answered_by == 1
