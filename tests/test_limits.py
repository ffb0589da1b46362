"""What ends a search, and that nothing is lost by it; there is no Ray in sight."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from local_runs import Run, stumble, timeless

from raynas.errors import ConfigError
from raynas.execution.limits import Limits, Target
from raynas.execution.plan import Plan
from raynas.experiment import amounts
from raynas.insight.text.limits import ahead, ended_by
from raynas.schedulers import SCHEDULERS
from raynas.schedulers.run_to_end import RunToEnd
from raynas.searchers.random import RandomSearch
from raynas.space import Choice, Space
from raynas.trial import Failed, Finished, Objective, Opened, Report, Resumed, Started

SPACE = Space({name: Choice((1, 2, 3, 4)) for name in "abcd"})


def plan(scheduler="none", trials=12, epochs=4, **limits):
    chosen = SCHEDULERS[scheduler]()
    return Plan(SPACE, RandomSearch(SPACE), chosen, trials, epochs, 3, Limits(**limits))


def cuts(run):
    return [event for event in run.events if isinstance(event, Finished) and event.limit]


def told(run):
    """What happened, without when, who came and went, and what limits have ended."""
    went_on = {event.number for event in run.events if isinstance(event, Resumed)}
    assert {event.number for event in cuts(run)} <= went_on
    interruption = {Opened, Resumed}
    return [
        event
        for event in timeless(run.events)
        if type(event) not in interruption and not getattr(event, "limit", "")
    ]


LIMITS = st.fixed_dictionaries(
    {},
    optional={
        "time": st.floats(1, 60),
        "gpu_hours": st.floats(0.0001, 0.02),
        "max_failures": st.integers(1, 5),
        "target": st.floats(0.5, 1).map(lambda value: Target(Objective(), value)),
    },
)


@settings(max_examples=60, deadline=None)
@given(LIMITS, st.sampled_from(["none", "asha", "asha_promotion", "halving"]), st.data())
def test_once_a_limit_is_reached_nothing_starts_and_what_runs_ends_with_its_next_report(
    limits, scheduler, data
):
    workers = data.draw(st.integers(1, 4))
    run = Run(plan(scheduler, **limits), gpus=0.5).opened(workers)
    order = np.random.default_rng(data.draw(st.integers(0, 9)))
    run.to_end(workers, order, child=stumble)
    assert not run.history.running
    reached = run.conductor.limit
    if not reached:
        assert len(run.history.trials) == 12
        return
    ended = cuts(run)
    rest = run.events[run.events.index(ended[0]) :] if ended else []
    assert not any(isinstance(event, Started | Resumed) for event in rest)
    reports = [event.number for event in rest if isinstance(event, Report)]
    assert len(set(reports)) == len(reports)
    assert run.conductor.next() is None
    assert run.conductor.needed >= {event.number for event in cuts(run)}


@settings(max_examples=40, deadline=None)
@given(LIMITS, st.sampled_from(["none", "asha", "asha_promotion", "halving", "pbt"]), st.data())
def test_given_more_a_run_becomes_what_it_would_have_been_with_no_limit(limits, scheduler, data):
    whole = Run(plan(scheduler)).to_end(child=stumble)
    run = Run(plan(scheduler, **limits), gpus=0.5).opened().to_end(child=stumble)
    if data.draw(st.booleans()):  # killed, and then given more
        run = Run(plan(scheduler, **limits), run.events[: data.draw(st.integers(0, 40))])
    run = Run(plan(scheduler), run.events).opened().to_end(child=stumble)
    assert told(run) == told(whole)


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_cut_short_again_and_again_no_trial_is_lost_or_ends_twice(scheduler):
    events, time = [], 0.0
    while True:
        time += 7
        run = Run(plan(scheduler, time=time), list(events)).opened(2)
        run.to_end(workers=2)
        if not run.conductor.limit:
            break
        events = run.events
        assert time < 7000
    assert not any(trial.cut for trial in run.history.trials.values())
    whole = Run(plan(scheduler)).opened(2).to_end(workers=2)
    assert {t.architecture for t in run.history.trials.values()} == {
        t.architecture for t in whole.history.trials.values()
    }


def test_time_is_what_processes_worked_not_what_lay_between():
    first = Run(plan(time=20)).opened().to_end()
    assert first.conductor.limit == "time"
    again = Run(plan(time=20), list(first.events))  # the clock has gone on for hours
    assert again.conductor.limit == "time"
    assert again.conductor.finished
    more = Run(plan(time=30), list(first.events))
    assert more.conductor.limit == ""
    more.opened().to_end()
    assert more.conductor.limit == "time"
    seconds = [session.seconds for session in more.history.sessions]
    assert len(seconds) == 2
    assert 30 <= sum(seconds) < 40
    assert seconds[0] >= 20


def test_time_passes_while_nothing_is_reported():
    run, now = Run(plan(time=50)), 1000.0
    run.conductor.clock = lambda: now
    assert run.opened().conductor.next().number == 0
    now += 49
    assert run.conductor.limit == ""
    now += 1
    assert run.conductor.limit == "time"
    assert run.conductor.next() is None


def test_gpu_hours_are_those_of_all_workers():
    run = Run(plan(gpu_hours=0.01), gpus=0.5).opened(4).to_end(workers=4)
    assert run.conductor.limit == "gpu_hours"
    (session,) = run.history.sessions
    assert 18 <= session.seconds < 26  # 36 GPU-seconds on two GPUs
    without = Run(plan(gpu_hours=0.01)).opened(4).to_end(workers=4)
    assert without.conductor.limit == ""


def test_the_target_counts_at_the_end_of_a_training_only():
    def child(trial):
        for epoch in range(1, 5):
            reached = trial.number == 3 or epoch == 2
            yield Report(trial.number, epoch, {"val_accuracy": 0.9 if reached else 0.1})

    run = Run(plan(target=Target(Objective(), 0.9))).opened().to_end(child=child)
    assert run.conductor.limit == "target"
    assert [*run.history.trials] == [0, 1, 2, 3]
    assert run.conductor.recommended.number == 3
    less = Target(Objective("val_accuracy", "min"), 0.1)
    assert Run(plan(target=less)).opened().to_end(child=child).history.trials.keys() == {0}


def test_failures_that_were_not_tried_again_do_not_count():
    space = Space({"a": Choice((1, 2))})
    searcher = RandomSearch(space)
    todo = Plan(space, searcher, RunToEnd(), 30, 2, 0, Limits(max_failures=3))

    def child(trial):
        yield Failed(trial.number, "it cannot be built")

    run = Run(todo).opened().to_end(child=child)
    assert run.conductor.limit == ""
    assert len(run.history.failed) > 20
    assert run.history.trained == 2
    lost = Run(plan(max_failures=3)).opened()
    lost.to_end(child=lambda trial: iter([Failed(trial.number, "lost", cause="circumstances")]))
    assert [*lost.history.trials] == [0, 1, 2]


def test_with_no_bound_on_trials_the_time_ends_the_search():
    run = Run(plan(trials=math.inf, time=50)).opened(3).to_end(workers=3)
    assert run.conductor.limit == "time"
    assert 0 < len(run.history.trials) < 50
    assert run.conductor.recommended is not None


@pytest.mark.parametrize("scheduler", ["none", "asha", "hyperband", "pbt"])
def test_with_no_bound_on_trials_a_space_that_is_exhausted_ends_the_search(scheduler):
    space = Space({"a": Choice((1, 2, 3))})
    searcher, limits = RandomSearch(space), Limits(time=1e9)
    todo = Plan(space, searcher, SCHEDULERS[scheduler](), math.inf, 9, 0, limits)
    run = Run(todo).opened(2).to_end(workers=2)
    assert run.conductor.finished
    assert {trial.identity for trial in run.history.trials.values() if trial.reports} == {
        space.identity(space.architecture({"a": value})) for value in (1, 2, 3)
    }
    assert len(run.history.trials) < 2000


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2h", 7200),
        ("90m", 5400),
        ("30s", 30),
        ("1h30m", 5400),
        ("1H 30M", 5400),
        ("1.5h", 5400),
        ("1d", 86400),
        ("45", 45),
        (45, 45),
        (0.5, 0.5),
    ],
)
def test_times_as_people_write_them(text, seconds):
    assert amounts.seconds(text) == seconds


@pytest.mark.parametrize("text", [0, "0", "0s", "0h0m"])
def test_no_time_is_a_time_where_it_is_allowed(text):
    assert amounts.seconds(text, "grace", zero=True) == 0


@pytest.mark.parametrize("text", ["", "-1", "h", "nan", "-0.1s"])
def test_less_than_no_time_is_refused(text):
    with pytest.raises(ConfigError, match="grace must be at least 0"):
        amounts.seconds(text, "grace", zero=True)


@given(
    st.sampled_from(["", "h", "-1h", "1x", "m30", "30m1h", "nan", "inf", "0", "0h", -3, True])
    | st.text(alphabet="hms .-x", max_size=6)
)
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ConfigError, match="time must be more than 0"):
        amounts.seconds(text)


def test_a_target_has_the_direction_of_its_metric():
    assert amounts.target("val_loss=0.1", ()).objective == Objective("val_loss", "min")
    assert amounts.target("f1:max=0.5", ()) == Target(Objective("f1", "max"), 0.5)
    odd = Objective("val_accuracy", "min")
    assert amounts.target("val_accuracy=0.5", [odd]).objective == odd
    for text in ("val_loss", "=3", "val_loss=", "val_loss=low", "val_loss=nan", "a:up=1"):
        with pytest.raises(ConfigError, match=r"METRIC=VALUE|:min or :max"):
            amounts.target(text, ())


def test_what_is_to_come_and_what_ended_it_is_said_in_a_line():
    run = Run(plan("asha", trials=40, epochs=9))
    assert ahead(run.conductor.plan, run.history, 2, "asha") == (
        "at most 40 trials of 9 epochs (360 epochs; with asha about 108) on 2 workers"
    )
    timed = Run(plan(trials=math.inf, time=20, target=Target(Objective(), 0.98))).opened()
    assert ahead(timed.conductor.plan, timed.history, 1, "none") == (
        "trials of 4 epochs, for at most 20 s on 1 worker, until val_accuracy reaches 98.00 %"
    )
    for trials in (math.inf, 1000):
        population = Run(plan("pbt", trials=trials, epochs=9, time=20))
        said = ahead(population.conductor.plan, population.history, 2, "pbt")
        assert said.endswith("trials of 9 epochs (72 epochs), for at most 20 s on 2 workers")
    endless = Run(plan("hyperband", trials=math.inf, epochs=9, gpu_hours=8))
    assert ahead(endless.conductor.plan, endless.history, 2, "hyperband") == (
        "trials of 9 epochs, for at most 8 GPU-hours on 2 workers"
    )
    timed.to_end()
    said = ended_by("time", timed.conductor.plan.limits, timed.history)
    assert said.startswith("the time of 20 s is up: the search ends after ")
