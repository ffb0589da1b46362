"""Schedulers and what happens to runs: failing members, lost workers, limits, tiny spaces."""

from dataclasses import dataclass

import pytest
import strategies
from hypothesis import given, settings
from hypothesis import strategies as st
from local_runs import Run, learn, timeless

from raynas.errors import ConfigError, SearcherError
from raynas.execution.limits import Limits
from raynas.execution.plan import Plan
from raynas.schedulers import SCHEDULERS, Director
from raynas.schedulers.brackets import Hyperband, SuccessiveHalving
from raynas.schedulers.pbt import PBT
from raynas.searchers.auto import Auto
from raynas.searchers.local_search import LocalSearch
from raynas.searchers.random import RandomSearch
from raynas.space import Choice, Space
from raynas.trial import Failed, Started

SPACE = Space({name: Choice(range(6)) for name in "abcd"})


def plan(scheduler, trials=30, epochs=9, searcher=None, **limits):
    searcher = searcher or RandomSearch(SPACE)
    return Plan(searcher.space, searcher, scheduler, trials, epochs, 2, Limits(**limits))


def losing(share):
    """Play a worker; of every few trials one is lost, at an epoch that is its own."""

    def child(trial):
        told = learn(trial)
        lost_at = int(trial.identity, 16) % 9
        for report in told:
            if int(trial.identity, 16) % 100 < 100 * share and report.epoch > lost_at:
                yield Failed(trial.number, "its worker was lost", cause="circumstances")
            yield report

    return child


@dataclass(frozen=True)
class Watched:
    """A scheduler every answer of which is compared with that of a fresh one."""

    name: str
    warm: object

    def check(self, epochs):
        self.warm.check(epochs)

    def decide(self, report, history):
        said = self.warm.decide(report, history)
        assert said is SCHEDULERS[self.name]().decide(report, history)
        return said


class WatchedDirector(Watched):
    def direct(self, history, space, rng, *, closed):
        state = rng.bit_generator.state
        said = self.warm.direct(history, space, rng, closed=closed)
        rng.bit_generator.state = state
        fresh = SCHEDULERS[self.name]()
        assert said == fresh.direct(history, space, rng, closed=closed)
        return said

    def keeps(self, history):
        kept = self.warm.keeps(history)
        assert kept == SCHEDULERS[self.name]().keeps(history)
        return kept


@pytest.mark.parametrize("name", SCHEDULERS)
@settings(max_examples=8, deadline=None)
@given(seed=strategies.seeds(), workers=st.integers(1, 4), step=st.integers(9, 80))
def test_whatever_happens_a_scheduler_that_saw_it_all_says_what_a_fresh_one_says(
    name, seed, workers, step
):
    """Trials are lost, limits cut the run short again and again, and it is given more."""
    warm = SCHEDULERS[name]()
    watched = (WatchedDirector if isinstance(warm, Director) else Watched)(name, warm)
    events, time, order = [], 0, strategies.generator(seed)
    while True:
        time += step
        todo = plan(watched, time=time)
        run = Run(todo, list(events)).opened(workers)
        run.to_end(workers, order, losing(0.2))
        events = run.events
        assert run.conductor.needed >= {trial.number for trial in run.history.running}
        if not run.conductor.limit:
            break
    assert not [trial for trial in run.history.failed if trial.outcome.cause == "part"]
    assert run.conductor.finished


# Brackets


@pytest.mark.parametrize("scheduler", [SuccessiveHalving, Hyperband])
@pytest.mark.parametrize("workers", [1, 3])
def test_a_member_whose_worker_is_lost_leaves_its_place_empty_and_holds_up_nobody(
    scheduler, workers
):
    todo = plan(scheduler(), trials=27)
    whole = Run(todo).to_end(workers, strategies.generator(4), losing(0.3))
    lost = [trial for trial in whole.history.failed if trial.outcome.cause == "circumstances"]
    assert lost
    assert len(whole.history.trials) == 27
    assert sum(trial.epoch == 9 for trial in whole.history.finished) >= 1
    ended = {n: (t.epoch, t.losses) for n, t in whole.history.trials.items()}
    alone = Run(plan(scheduler(), trials=27)).to_end(child=losing(0.3))
    assert {n: (t.epoch, t.losses) for n, t in alone.history.trials.items()} == ended
    for length in range(0, len(alone.events), 11):
        again = Run(plan(scheduler(), trials=27), alone.events[:length]).to_end(child=losing(0.3))
        assert timeless(again.events) == timeless(alone.events)


@pytest.mark.parametrize("name", ["halving", "hyperband", "pbt"])
def test_who_decides_on_lengths_takes_no_searcher_that_does(name):
    searcher = Auto(SPACE, fidelities=(3, 9))
    with pytest.raises(
        SearcherError, match="it proposes a trial of 3 epochs, but must propose 9 epochs: "
    ):
        Run(plan(SCHEDULERS[name](), searcher=searcher)).to_end()
    assert Run(plan(SCHEDULERS["asha"](), searcher=searcher)).to_end().conductor.finished


# Populations


def founders(run):
    return [event.number for event in run.events if isinstance(event, Started) and not event.begin]


@pytest.mark.parametrize("make", [RandomSearch, LocalSearch, Auto])
def test_in_a_space_smaller_than_itself_a_population_is_trained_all_the_same(make):
    tiny = Space({"a": Choice((1, 2, 3, 4))})
    run = Run(plan(PBT(), trials=40, epochs=8, searcher=make(tiny))).to_end(2)
    trials = run.history.trials.values()
    assert all(trial.trained for trial in trials)
    assert len({trial.started.seed for trial in trials}) == len(trials) == 8 + 3 * 2
    assert len(founders(run)) == 8


def test_founders_that_fail_are_replaced_whoever_is_faster():
    def child(trial):
        yield next(told := learn(trial))
        if int(trial.identity, 16) % 2 and not trial.started.begin:
            yield Failed(trial.number, "it diverged")
        yield from told

    def settled(history):
        return {n: (t.architecture, t.started.parent, t.losses) for n, t in history.trials.items()}

    alone = Run(plan(PBT(), trials=60, epochs=8)).to_end(child=child)
    failed = [trial.number for trial in alone.history.failed]
    assert failed
    assert len(founders(alone)) - len(failed) == 8
    heirs = [trial for trial in alone.history.trials.values() if trial.started.inherits]
    assert len(heirs) == 3 * 2
    assert not {heir.started.parent for heir in heirs} & set(failed)
    for seed in range(5):
        order = strategies.generator(seed)
        among = Run(plan(PBT(), trials=60, epochs=8)).to_end(seed + 2, order, child)
        assert settled(among.history) == settled(alone.history)
    for length in range(0, len(alone.events), 7):
        again = Run(plan(PBT(), trials=60, epochs=8), alone.events[:length]).to_end(child=child)
        assert timeless(again.events) == timeless(alone.events)


def test_where_all_fail_all_are_tried():
    reasons = ("boom", "bang")  # a run whose first trials fail for one reason is ended
    run = Run(plan(PBT())).to_end(
        child=lambda trial: iter([Failed(trial.number, reasons[trial.number % 2])])
    )
    assert len(run.history.failed) == 30


@pytest.mark.parametrize("trials", [1, 7, 8])
def test_a_population_needs_more_trials_than_members(trials):
    with pytest.raises(ConfigError, match=f"got {trials} trials for a population of 8"):
        PBT().check_trials(trials)
    PBT().check_trials(trials + 8)
    PBT().check_trials(float("inf"))
