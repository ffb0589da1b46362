"""Where the time of a run went, against what happened, event by event; no Ray in sight."""

import io
import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from insight_history import started
from local_runs import Run, learn
from rich.console import Console

from raynas.execution.conductor import Plan
from raynas.execution.limits import Limits
from raynas.experiment.experiment import Experiment
from raynas.experiment.run.paused_trials import paused_trials
from raynas.insight.ledger import ledger, spared
from raynas.insight.text.ledger import in_short, print_ledger
from raynas.schedulers import SCHEDULERS
from raynas.searchers.random import RandomSearch
from raynas.space import Choice, Space
from raynas.trial import Failed, Finished, History, Report, Resumed, Retried, Started

SPACE = Space({name: Choice((1, 2, 3, 4)) for name in "abcd"})
TRIALS, EPOCHS = 24, 8
ALL = st.sampled_from(sorted(SCHEDULERS))


def plan(scheduler, seed=0, **limits):
    chosen = SCHEDULERS[scheduler]()
    return Plan(SPACE, RandomSearch(SPACE), chosen, TRIALS, EPOCHS, seed, Limits(**limits))


def hazards(trial):
    """Play workers of whom some are lost, and children that diverge or run out of memory."""
    rng = np.random.default_rng(trial.started.seed)
    fate, last = rng.choice(["well", "well", "diverges", "lost", "full"]), int(rng.integers(8))
    seconds, worker = float(rng.random()) + 0.5, f"node:{rng.integers(3)}"
    for report in learn(trial):
        if report.epoch > max(last, trial.started.begin):
            if fate == "diverges":
                yield Failed(trial.number, "the loss is nan", seconds=seconds, worker=worker)
            if fate == "lost":
                yield Failed(trial.number, "its worker was lost", cause="circumstances")
            if fate == "full" and not trial.tries("gpu"):
                yield Retried(trial.number, "memory", seconds=seconds, worker=worker)
        yield replace(report, seconds=float(rng.random()) + 0.1, worker=worker)


def played(scheduler, sessions, workers, seed):
    """Play a run to its end, cut short and taken up again at the given times."""
    order, events = np.random.default_rng(seed), []
    for time in (*sessions, math.inf):
        run = Run(plan(scheduler, seed, time=time), list(events), gpus=0.5).opened(workers)
        run.to_end(workers, order, child=hazards)
        events = run.events
        yield run


def paused(run, scheduler):
    described = Experiment(scheduler=scheduler, trials=TRIALS).described()
    return paused_trials(described, run.history)


def living(history):
    """Mark the epochs that members still have: from each up through those it inherited from."""
    replaced = {trial.started.replaces for trial in history.trials.values()}
    marked = set()
    for trial in history.trials.values():
        if trial.number in replaced or isinstance(trial.outcome, Failed) or not trial.trained:
            continue
        one, until = trial, math.inf
        while True:
            marked |= {(one.number, r.epoch) for r in one.reports if r.epoch <= until}
            if not one.started.inherits:
                break
            until, one = one.started.begin, history.trials[one.started.parent]
    return marked


@given(
    ALL,
    st.lists(st.floats(5, 150), max_size=3).map(sorted),
    st.integers(1, 4),
    st.integers(0, 50),
)
def test_every_way_to_add_up_a_run_comes_to_the_same(scheduler, sessions, workers, seed):
    for run in played(scheduler, sessions, workers, seed):
        history, books = run.history, ledger(run.history, paused(run, scheduler))
        kinds = Report | Failed | Retried
        spent = math.fsum(event.seconds for event in run.events if isinstance(event, kinds))
        assert books.trained == pytest.approx(spent)
        reports = sum(isinstance(event, Report) for event in run.events)
        for shares in (books.rungs, books.trials, books.workers):
            assert math.fsum(share.seconds for share in shares) == pytest.approx(spent)
            assert sum(share.epochs for share in shares) == reports
        by_trial = {share.name: share.seconds for share in books.trials}
        for trial in history.trials.values():
            assert by_trial.get(str(trial.number), 0.0) == pytest.approx(trial.seconds)
        marked = living(history)
        useful = math.fsum(
            report.seconds
            for trial in history.trials.values()
            for report in trial.reports
            if trial.trained and (trial.number, report.epoch) in marked
        )
        assert useful + math.fsum(books.wasted.values()) == pytest.approx(spent)
        assert books.worked == pytest.approx(math.fsum(s.seconds for s in history.sessions))


@given(
    ALL.filter(lambda name: name != "asha_promotion"),  # whom it passes over may be promoted late
    st.floats(5, 150),
    st.integers(1, 4),
    st.integers(0, 50),
)
def test_what_a_run_cut_short_calls_saved_is_never_trained_later(scheduler, time, workers, seed):
    cut, whole = played(scheduler, [time], workers, seed)
    going_on = paused(cut, scheduler)
    later = whole.events[len(cut.events) :]
    goes_on = {event.number for event in later if isinstance(event, Resumed)}
    goes_on |= {event.replaces for event in later if isinstance(event, Started)}
    saved = {
        trial.number
        for trial in cut.history.trials.values()
        if trial.resumable and not trial.cut and trial.number not in going_on
    }
    assert not saved & goes_on
    replaced = {trial.started.replaces for trial in cut.history.trials.values()}
    stopped = saved - replaced
    epochs, _ = spared(cut.history, going_on)
    assert epochs == sum(EPOCHS - cut.history.trials[number].epoch for number in stopped)
    assert not paused(whole, scheduler)


@pytest.mark.parametrize("time", [20, 40, 60, 80, math.inf])
def test_a_population_saves_nothing_and_wastes_what_nobody_has(time):
    run = Run(plan("pbt", time=time)).opened(2).to_end(workers=2)
    books = ledger(run.history, paused(run, "pbt"))
    assert books.stopped == 0
    assert books.trained - sum(books.wasted.values()) == len(living(run.history))
    alive = {trial.number for trial in run.history.trials.values()} - {
        trial.started.replaces for trial in run.history.trials.values()
    }
    assert len(alive) == min(8, len(run.history.trials))


def test_who_is_replaced_is_the_weakest_that_is_left():
    run = Run(plan("pbt")).to_end()
    history = run.history
    heirs = [trial for trial in history.trials.values() if trial.started.begin]
    assert len({heir.started.replaces for heir in heirs}) == len(heirs)
    for heir in heirs:
        weak, parent = (history.trials[n] for n in (heir.started.replaces, heir.started.parent))
        assert weak.epoch == heir.started.begin  # it never went on
        assert history.at(weak.epoch)[weak.number] >= history.at(weak.epoch)[parent.number]


def test_in_the_place_of_one_that_failed_nobody_else_is_replaced():
    def child(trial):
        if trial.number == 5:
            return iter([Failed(5, "it cannot be built")])
        return learn(trial)

    history = Run(plan("pbt")).to_end(child=child).history
    heirs = [trial.started for trial in history.trials.values() if trial.started.begin == 2]
    assert history.trials[8].started.begin == 0, "a founder in the place of the one that failed"
    assert heirs
    assert all(heir.replaces is not None for heir in heirs)


def lineage(*events):
    history = History()
    for event in events:
        history.apply(event)
    return history


def trained(number, epochs, begin=0, seconds=1.0):
    for epoch in range(begin + 1, epochs + 1):
        yield Report(number, epoch, {"val_accuracy": 0.5}, seconds)


def child(number, parent, begin, replaces=None):
    born = replace(started(number, epochs=9), parent=parent, begin=begin, inherits=True)
    return replace(born, replaces=replaces, repeat=True)


def test_of_one_that_was_replaced_what_an_heir_has_is_not_wasted():
    happened = [
        started(0, epochs=9),
        *trained(0, 4),
        Finished(0, stopped=True),  # an heir of its second epoch goes on
        child(1, 0, begin=2),
        *trained(1, 5, begin=2),
        started(2, epochs=9),
        *trained(2, 4),
        Finished(2, stopped=True),
        child(3, 2, begin=4, replaces=0),
        *trained(3, 6, begin=4),
    ]
    assert ledger(lineage(*happened)).wasted["superseded trials"] == 2  # epochs 3 and 4 of trial 0
    failed = Failed(1, "it diverges", seconds=0.25)
    wasted = ledger(lineage(*happened, failed)).wasted
    assert wasted["superseded trials"] == 4  # nobody has epochs 1 and 2 any more
    assert wasted["failed trials"] == 3.25  # an epoch that no report tells of is counted, too
    passed_on = [*happened, child(4, 1, begin=3), *trained(4, 5, begin=3), failed]
    wasted = ledger(lineage(*passed_on)).wasted
    assert (wasted["superseded trials"], wasted["failed trials"]) == (2, 2.25)


def test_of_two_heirs_the_later_has_more():
    parent = [started(0, epochs=9), *trained(0, 5), Finished(0, stopped=True)]
    heirs = [(child(n, 0, begin), *trained(n, 6, begin)) for n, begin in ((1, 2), (2, 4))]
    happened = [*parent, *itertools.chain(*heirs), child(3, 1, begin=5, replaces=0)]
    assert ledger(lineage(*happened)).wasted["superseded trials"] == 1


def test_what_failed_in_its_first_epoch_has_taken_its_time():
    happened = []
    for number in range(5):
        failed = Failed(number, "diverged", seconds=1.25, worker="node:7")
        happened += [started(number), failed]
    happened += [started(5), Failed(5, "diverged", answered_by=4)]
    history = lineage(*happened)
    books = ledger(history)
    assert books.trained == books.wasted["failed trials"] == 6.25
    (worker,), (rung,) = books.workers, books.rungs
    assert (worker.name, worker.trials, worker.epochs, worker.seconds) == ("node:7", 5, 0, 6.25)
    assert (rung.name, rung.seconds) == ("1", 6.25)
    assert [share.name for share in books.trials] == list("01234")
    assert in_short(books) == "6.2 s wasted on failed trials; answers from the journal saved 1.2 s"


def test_an_epoch_that_was_begun_again_is_wasted_once():
    again = Retried(0, "memory", at=5.0, seconds=3.0, worker="node:1")
    reports = [Report(0, 1, {"val_accuracy": 0.5}, 2.0, at=2.0, worker="node:1")]
    reports += [Report(0, 2, {"val_accuracy": 0.5}, 2.0, at=8.0, worker="node:2")]
    happened = [started(0), reports[0], again, reports[1], Finished(0, stopped=True)]
    books = ledger(lineage(*happened))
    assert {name: spent for name, spent in books.wasted.items() if spent} == {"retries": 3.0}
    assert books.trained == 7.0
    assert books.stopped == 2.0  # an epoch takes two seconds, whatever went wrong besides
    assert {share.name: share.seconds for share in books.workers} == {"node:1": 5.0, "node:2": 2.0}


def test_workers_of_whom_not_all_is_known_still_add_up():
    known = Report(0, 1, {"val_accuracy": 0.5}, 2.0, worker="node:1")
    older = Report(0, 2, {"val_accuracy": 0.5}, 3.0)
    books = ledger(lineage(started(0), known, older))
    assert {share.name: share.seconds for share in books.workers} == {
        "node:1": 2.0,
        "not known": 3.0,
    }
    assert ledger(lineage(started(0), older)).workers == []


def test_the_books_are_printed_as_they_add_up():
    run = next(itertools.islice(played("asha", [], 2, 3), 1))
    console = Console(file=io.StringIO(), width=100)
    print_ledger(console, ledger(run.history))
    said = console.file.getvalue()
    for why in ("failed trials", "lost workers", "superseded trials", "retries"):
        assert f"wasted on {why}" in said


@pytest.mark.parametrize(
    "settings", [{}, {"scheduler": {"object": "Mine"}}, {"scheduler": "x.py"}]
)
def test_of_a_scheduler_of_ones_own_nothing_is_known_to_be_pending(settings):
    assert paused_trials(settings, History()) == ()
