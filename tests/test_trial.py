"""What happened, folded into a history."""

import math

import pytest
import strategies
from hypothesis import given
from hypothesis import strategies as st

from raynas.errors import ConfigError, JournalError
from raynas.searchers import make
from raynas.space import Architecture, Choice, Space
from raynas.trial import (
    Failed,
    Finished,
    History,
    Objective,
    Opened,
    Report,
    Resized,
    Resumed,
    Retried,
    Started,
    Winner,
)

SPACE = Space({"a": Choice(range(5)), "b": Choice({"x": Choice((1, 2)), "y": None})})


@st.composite
def searches(draw):
    """A search that was run to its end: with repeats, failures, early stops, several workers."""
    return run(
        seed=draw(strategies.seeds()),
        workers=draw(st.integers(1, 5)),
        scheduler=draw(st.sampled_from(("none", "asha"))),
        objectives=draw(
            st.sampled_from((strategies.ACCURACY, strategies.ACCURACY_AND_SIZE)),
        ),
    )


def run(**options):
    search = strategies.Search(make("random", SPACE), trials=30, failing=0.3, epochs=4, **options)
    search.run()
    return search


def test_the_driver_brings_about_everything_that_can_happen():
    search = run(scheduler="asha", seed=5)
    outcomes = [trial.outcome for trial in search.history.trials.values()]
    finished = [outcome for outcome in outcomes if isinstance(outcome, Finished)]
    failed = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
    assert {outcome.stopped for outcome in finished} == {True, False}
    assert {outcome.answered_by is None for outcome in finished} == {True, False}
    assert {outcome.answered_by is None for outcome in failed} == {True, False}
    order = [trial.number for trial in search.history.finished]
    assert order != sorted(order)


@given(searches())
def test_every_trial_is_somewhere_and_only_there(search):
    history = History(search.objectives)
    for event in search.events:
        history.apply(event)
        ended = [trial.number for trial in (*history.finished, *history.failed)]
        running = [trial.number for trial in history.running]
        assert sorted(ended + running) == list(history.trials)
        assert running == sorted(running)
        for trial in (*history.finished, *history.failed):
            assert history.trials[trial.number] is trial
    assert history == search.history


@given(searches())
def test_a_trial_holds_what_was_said_of_it(search):
    for number, trial in search.history.trials.items():
        own = [event for event in search.events if getattr(event, "number", None) == number]
        assert trial.started == own[0]
        assert trial.outcome == own[-1]
        source = trial.number if trial.trained else trial.outcome.answered_by
        reports = tuple(e for e in search.events if isinstance(e, Report) and e.number == source)
        if isinstance(trial.outcome, Finished) or trial.trained:
            assert trial.reports == reports
        assert trial.epoch == len(trial.reports)
        if trial.reports:
            last = trial.reports[-1].metrics
            assert trial.losses[0] == -last["val_accuracy"] == trial.loss
            assert trial.losses[1:] == ((last["params"],) if len(search.objectives) > 1 else ())


@given(searches(), st.integers(1, 4))
def test_losses_at_an_epoch_count_each_training_once_in_order(search, epoch):
    reports = [e for e in search.events if isinstance(e, Report) and e.epoch == epoch]
    expected = [-report.metrics["val_accuracy"] for report in reports]
    assert [score.losses[0] for score in search.history.at(epoch).values()] == expected


@given(searches())
def test_the_best_is_the_best_of_those_trained_longest(search):
    history = search.history
    ends = [trial for trial in history.finished if trial.epoch == 4]
    if ends:
        assert history.best.epoch == 4
        assert history.best.loss == min(trial.loss for trial in ends)
    elif history.finished:
        assert history.best.epoch == max(trial.epoch for trial in history.finished)


@given(searches())
def test_trials_of_one_identity_are_found_in_order(search):
    for trial in search.history.trials.values():
        found = [one.number for one in search.history.same(trial.identity)]
        expected = [n for n, t in search.history.trials.items() if t.identity == trial.identity]
        assert found == expected


def started(number, epochs=3):
    return Started(number, Architecture({"a": number}), f"id{number}", epochs, seed=0)


def report(number, epoch, accuracy=0.5, seconds=2.0):
    return Report(number, epoch, {"val_accuracy": accuracy}, seconds)


@pytest.mark.parametrize(
    ("before", "event", "says"),
    [
        ([started(0)], started(0), "trial 0 starts twice"),
        ([], report(0, 1), "trial 0 is not running"),
        ([], Finished(0), "trial 0 is not running"),
        ([started(0), report(0, 2)], report(0, 2), "reports epoch 2 after epoch 2"),
        ([started(0)], report(0, 0), "reports epoch 0 after epoch 0"),
        ([started(0)], Finished(0), "finished without a report"),
        ([started(0), report(0, 1), Finished(0)], report(0, 2), "not running"),
        ([started(0), Failed(0, "no")], Finished(0), "not running"),
        ([started(0), Failed(0, "no")], Retried(0, "full"), "not running"),
    ],
)
def test_what_cannot_have_happened_is_refused_and_changes_nothing(before, event, says):
    history = strategies.replay(before)
    with pytest.raises(JournalError, match=says):
        history.apply(event)
    assert history == strategies.replay(before)


def test_a_report_without_the_objective_is_refused_with_what_it_holds():
    history = strategies.replay([started(0)])
    with pytest.raises(ConfigError, match="no metric 'val_accuracy': did you mean 'val_acuracy'"):
        history.apply(Report(0, 1, {"val_acuracy": 0.5}))
    assert history == strategies.replay([started(0)])


def test_an_answered_trial_takes_over_the_score_and_costs_nothing():
    history = strategies.replay(
        [started(0), report(0, 1, 0.7), Finished(0), started(1), Finished(1, answered_by=0)]
    )
    first, second = history.finished
    assert (second.loss, second.epoch) == (first.loss, first.epoch) == (-0.7, 1)
    assert (first.seconds, second.seconds) == (2.0, 0.0)
    assert (first.trained, second.trained) == (True, False)
    assert history.best is first


def test_a_loss_before_the_first_report_is_an_error():
    history = strategies.replay([started(0)])
    assert history.trials[0].losses == ()
    with pytest.raises(ValueError, match="trial 0 has not reported"):
        history.trials[0].loss  # noqa: B018 - a property that raises


def test_a_little_training_never_beats_much():
    lucky = [started(0), report(0, 1, 0.9), Finished(0, stopped=True)]
    steady = [started(1), report(1, 1, 0.2), report(1, 3, 0.3), Finished(1)]
    history = strategies.replay(lucky + steady)
    assert history.best.number == 1


def test_nothing_is_best_of_nothing():
    assert History().best is None
    assert strategies.replay([started(0), report(0, 1)]).best is None


def test_objectives_are_minimised():
    assert Objective("val_accuracy").loss({"val_accuracy": 0.25}) == -0.25
    assert Objective("val_loss", "min").loss({"val_loss": 0.25}) == 0.25


@pytest.mark.parametrize("direction", ["min", "max"])
def test_what_is_no_number_is_worse_than_all_else(direction):
    assert Objective("score", direction).loss({"score": math.nan}) == math.inf


def test_the_winner_is_remembered():
    winner = Winner(0, {"test_accuracy": 0.5}, "winner")
    assert strategies.replay([winner]).winner is winner


WHAT = (
    "open",
    "resize",
    "start",
    "report",
    "report",
    "report",
    "stop",
    "cut",
    "end",
    "fail",
    "go",
)


def next_events(draw, history, now):
    """Draw what happens next: one event, or a start and its answer."""
    running = [trial.number for trial in history.running]
    paused = [n for n, trial in history.trials.items() if trial.resumable]
    what, new = draw(st.sampled_from(WHAT)), len(history.trials)
    number = draw(st.sampled_from(running)) if running else None
    if what == "open":
        return [Opened(now, slots=2, gpus=0.5)]
    if what == "resize":
        return [Resized(now, slots=draw(st.integers(0, 3)), gpus=0.5)]
    if what == "start" or number is None:
        known = [trial.number for trial in history.finished if trial.trained]
        name, donor = draw(st.sampled_from("xyz")), draw(st.sampled_from([None, *known]))
        begun = Started(new, Architecture({}), name, draw(st.integers(1, 6)), 0, at=now)
        ends = [None, Failed(new, "known", answered_by=0, at=now)]
        ends += [] if donor is None else [Finished(new, answered_by=donor, at=now)]
        return [begun, *filter(None, [draw(st.sampled_from(ends))])]
    if what == "go" and paused:
        return [Resumed(draw(st.sampled_from(paused)), now)]
    if what == "fail":
        return [Failed(number, "broken", at=now)]
    if what in {"stop", "cut", "end"} and history.trials[number].reports:
        limit = "time" if what == "cut" else ""
        return [Finished(number, stopped=what != "end", limit=limit, at=now)]
    epoch = history.trials[number].epoch + draw(st.integers(1, 2))
    return [Report(number, epoch, {"val_accuracy": draw(st.sampled_from((0.1, 0.2)))}, at=now)]


@st.composite
def lives(draw):
    """Events of trials that are stopped, cut by limits, resumed, answered and failed."""
    history, events = History(), []
    for now in range(draw(st.integers(0, 40))):
        for event in next_events(draw, history, now):
            history.apply(event)
            events.append(event)
    return events


@given(lives())
def test_what_a_history_counts_along_is_what_it_would_find_anew(events):
    history, completed, finished = History(), [], {}
    for event in events:
        history.apply(event)
        if isinstance(event, Finished):
            finished[event.number] = history.trials[event.number]
        assert history.finished == [*finished.values()]
        trials = [*history.trials.values()]
        if isinstance(event, Finished) and not event.stopped:
            completed.append(history.trials[event.number])
        alive = [
            t for t in history.finished if not isinstance(history.trials[t.number].outcome, Failed)
        ]
        assert history.best is min(
            alive, key=lambda trial: (-trial.epoch, trial.loss, trial.number), default=None
        )
        running = {one.number for one in trials if one.outcome is None}
        assert {one.number for one in history.running} == running
        assert {one.number for one in history.cut} == {one.number for one in trials if one.cut}
        assert history.completed == completed
        assert history.trained == sum(trial.trained for trial in trials)
        assert history.networks == len({trial.identity for trial in trials})
        assert history.longest == max((trial.started.epochs for trial in trials), default=0)
        for trial in trials:
            assert history.first(trial.identity) is next(iter(history.same(trial.identity)))
    begins = [at for at, event in enumerate(events) if isinstance(event, Opened | Resized)]
    ends = [events[at if isinstance(events[at], Resized) else at - 1].at for at in begins[1:]] + [
        event.at for event in events[-1:]
    ]
    lasted = [(events[at].at, end) for at, end in zip(begins, ends, strict=False)]
    assert [(one.opened.at, one.until) for one in history.sessions] == lasted


def test_a_trial_that_fails_after_it_was_resumed_is_the_best_no_longer():
    lives = [
        event
        for number, accuracy in enumerate((0.5, 0.9, 0.7))
        for event in (
            started(number),
            report(number, 1, accuracy),
            Finished(number, stopped=True),
        )
    ]
    history = strategies.replay([*lives, Resumed(1), Resumed(0), Failed(0, "no")])
    assert history.best.number == 1
    history.apply(Failed(1, "no"))
    assert history.best.number == 2
    assert [trial.number for trial in history.finished] == [0, 1, 2]


@pytest.mark.parametrize(
    "before",
    [[], [started(0)], [started(0), report(0, 1), Finished(0)], [started(0), Failed(0, "no")]],
)
def test_only_what_was_stopped_is_resumed(before):
    with pytest.raises(JournalError, match="trial 0 was not stopped, so it cannot be resumed"):
        strategies.replay(before).apply(Resumed(0))
