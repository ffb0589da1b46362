"""Ray Tune's schedulers inside raynas, in runs that are played."""

import numpy as np
import pytest
import strategies
from local_runs import Run, learn, stumble, timeless

from raynas.errors import ConfigError
from raynas.execution.plan import Plan
from raynas.execution.ray_tune.scheduler_replay import SchedulerReplay, number_of
from raynas.experiment.resolve.references import find_scheduler
from raynas.schedulers import Verdict
from raynas.searchers.random import RandomSearch
from raynas.space import Float, Space
from raynas.trial import Failed, Finished, History, Proposal, Report, Resumed, Started

from ray.tune.schedulers import (  # isort: skip - raynas sets how quiet it is
    ASHAScheduler,
    FIFOScheduler,
    HyperBandForBOHB,
    HyperBandScheduler,
    MedianStoppingRule,
    PopulationBasedTraining,
    ResourceChangingScheduler,
)

EPOCHS = 9
SPACE = Space({"end": Float(0.0, 1.0)})
TUNES = {
    "fifo": FIFOScheduler,
    "asha": lambda: ASHAScheduler(max_t=EPOCHS, reduction_factor=3),
    "median": lambda: MedianStoppingRule(time_attr="epoch", grace_period=2, hard_stop=True),
    "median_pausing": lambda: MedianStoppingRule(
        time_attr="time_total_s", grace_period=2, hard_stop=False
    ),
    "hyperband": lambda: HyperBandScheduler(max_t=EPOCHS, reduction_factor=3),
    "bohb": lambda: HyperBandForBOHB(max_t=EPOCHS, reduction_factor=3),
}


def plan(scheduler, trials=20, seed=0):
    made = find_scheduler(TUNES[scheduler](), {})
    made.check(EPOCHS)
    return Plan(SPACE, RandomSearch(SPACE), made, trials, EPOCHS, seed)


def climb(trial):
    """Play a worker whose accuracy rises towards what was decided."""
    for epoch in range(trial.epoch + 1, trial.started.epochs + 1):
        accuracy = trial.architecture["end"] * epoch / (epoch + 1)
        yield Report(trial.number, epoch, {"val_accuracy": accuracy}, seconds=1.0)


def ended_once(run):
    ends = [event.number for event in run.events if isinstance(event, Finished | Failed)]
    begun = [event.number for event in run.events if isinstance(event, Started | Resumed)]
    return sorted(ends) == sorted(begun) and not run.history.running


@pytest.mark.parametrize("scheduler", TUNES)
@pytest.mark.parametrize("workers", [1, 3])
def test_a_run_led_by_tune_comes_to_its_end(scheduler, workers):
    order = np.random.default_rng(0)
    run = Run(plan(scheduler)).to_end(workers, order, child=climb)
    assert len(run.history.trials) == 20
    assert ended_once(run)
    assert run.history.best.epoch == EPOCHS
    faults = [trial.outcome.detail for trial in run.history.failed]
    assert not faults


@pytest.mark.parametrize("scheduler", TUNES)
def test_trials_that_fail_do_not_hold_the_others_up(scheduler):
    run = Run(plan(scheduler)).to_end(3, np.random.default_rng(1), child=stumble)
    assert len(run.history.trials) == 20
    assert ended_once(run)
    assert all("diverged" in trial.outcome.reason for trial in run.history.failed)
    assert run.history.failed


@pytest.mark.parametrize("scheduler", ["asha", "median", "hyperband", "bohb"])
def test_work_is_saved_and_the_better_go_on(scheduler):
    history = Run(plan(scheduler, trials=30)).to_end(child=climb).history
    trained = sum(len(trial.reports) for trial in history.finished)
    assert trained < 30 * EPOCHS * 0.9
    ends = np.array([trial.architecture["end"] for trial in history.finished])
    epochs = np.array([trial.epoch for trial in history.finished])
    assert ends[epochs == EPOCHS].mean() > ends[epochs < EPOCHS].mean()


@pytest.mark.parametrize("scheduler", ["hyperband", "bohb", "median_pausing"])
def test_what_tune_pauses_is_taken_up_and_kept_until_then(scheduler):
    run = Run(plan(scheduler))
    resumed = 0
    needed = run.conductor.needed
    while trial := run.conductor.next():
        if isinstance(run.events[-1], Resumed):
            resumed += 1
            assert trial.number in needed
        for report in climb(trial):
            if run.conductor.report(report) is Verdict.STOP:
                break
        needed = run.conductor.needed
    assert resumed
    assert run.conductor.finished


def test_asha_keeps_to_the_published_rule():
    """A trial stops below the best third of those that came to its rung before."""
    run = Run(plan("asha", trials=40)).to_end(child=climb)
    for rung in (1, 3):
        seen = []
        for trial in run.history.trials.values():
            if trial.epoch < rung:
                continue
            accuracy = trial.reports[rung - 1].metrics["val_accuracy"]
            below = bool(seen) and accuracy < np.percentile(seen, 100 * (1 - 1 / 3))
            assert (trial.epoch == rung) == below
            seen.append(accuracy)


@pytest.mark.parametrize("scheduler", TUNES)
def test_a_killed_run_goes_on_as_if_it_had_not_been(scheduler):
    whole = Run(plan(scheduler)).to_end(child=stumble)
    for length in range(0, len(whole.events), 3):
        resumed = Run(plan(scheduler), whole.events[:length]).to_end(child=stumble)
        assert timeless(resumed.events) == timeless(whole.events), f"after {length} events"


@pytest.mark.parametrize("scheduler", TUNES)
def test_runs_killed_amid_several_workers_end(scheduler):
    whole = Run(plan(scheduler)).to_end(4, np.random.default_rng(2), child=learn)
    for length in range(0, len(whole.events), 11):
        resumed = Run(plan(scheduler), whole.events[:length])
        resumed.to_end(4, np.random.default_rng(3), child=learn)
        assert ended_once(resumed)
        assert not resumed.history.failed


def noting():
    """Return a scheduler, and the list of what it is told: what, the trial, and its status.

    It pauses trials 0 and 1 after their last and their first epoch, stops trial 2 after its first,
    and resumes what is paused when it has seen trial 4.
    """
    told = []

    class Noting(FIFOScheduler):
        def on_trial_add(self, controller, trial):  # noqa: ARG002 - Tune's
            self._note("add", trial)

        def on_trial_result(self, controller, trial, result):
            epoch = result["epoch"]
            self._note(f"result {epoch}", trial)
            ended = {number for what, number, _ in told if what[:5] in ("compl", "error")}
            live = {number_of(one) for one in controller.get_live_trials()}
            assert live == {number_of(one) for one in controller.get_trials()} - ended
            paused = (number_of(trial), epoch) in {(0, EPOCHS), (1, 1)}
            stopped = number_of(trial) == 2
            return self.PAUSE if paused else self.STOP if stopped else self.CONTINUE

        def on_trial_complete(self, controller, trial, result):  # noqa: ARG002 - Tune's
            self._note(f"complete {result['epoch']}", trial)

        def on_trial_remove(self, controller, trial):  # noqa: ARG002 - Tune's
            self._note("remove", trial)

        def on_trial_error(self, controller, trial):  # noqa: ARG002 - Tune's
            self._note("error", trial)

        def choose_trial_to_run(self, controller):
            trials = controller.get_trials()
            paused = [one for one in trials if one.status == one.PAUSED and len(trials) > 4]
            waiting = [one for one in trials if one.status == one.PENDING]
            return next(iter([*paused, *waiting]), None)

        def _note(self, what, trial):
            told.append((what, number_of(trial), trial.status))

    return find_scheduler(Noting(), {}), told


@pytest.mark.parametrize("workers", [1, 2])
def test_a_scheduler_is_told_what_tune_would_tell_it_and_again_on_resume(workers):
    def child(trial):
        if trial.number == 3:
            yield Failed(3, "it cannot be built")
        yield from climb(trial)

    def heard(events=()):
        made, told = noting()
        todo = Plan(SPACE, RandomSearch(SPACE), made, 5, EPOCHS, 0)
        return Run(todo, list(events)).to_end(workers, child=child).events, told

    events, told = heard()
    full = [f"result {epoch}" for epoch in range(1, EPOCHS + 1)]
    expected = {
        0: ["add", *full, "complete 9"],
        1: ["add", *full, "complete 9"],
        2: ["add", "result 1", "complete 1"],
        3: ["add", "error"],
        4: ["add", *full, "complete 9"],
        5: ["add", "remove"],
    }
    assert {n: [what for what, number, _ in told if number == n] for n in range(6)} == expected
    alive = {"add": "PENDING", "remove": "PENDING"}
    assert all(status == alive.get(what, "RUNNING") for what, _, status in told)
    for length in range(0, len(events), 3):
        assert sorted(heard(events[:length])[1]) == sorted(told), f"after {length} events"


def test_a_trial_that_a_limit_ends_after_it_was_resumed_goes_on_in_the_next_process():
    def planned():
        made, told = noting()
        return Plan(SPACE, RandomSearch(SPACE), made, 5, EPOCHS, 0), told

    run = Run(planned()[0])
    while (trial := run.conductor.next()) and not isinstance(run.events[-1], Resumed):
        for report in climb(trial):
            if run.conductor.report(report) is Verdict.STOP:
                break
    assert (trial.number, trial.epoch) == (1, 1)
    run.conductor.cut(1)
    stubs = SchedulerReplay(planned()[0].scheduler.scheduler).follow(run.history)
    assert stubs[1].status == "RUNNING"  # or others of its bracket would not wait for it
    again, told = planned()
    resumed = Run(again, run.events).to_end(child=climb)
    assert resumed.history.trials[1].epoch == EPOCHS
    assert ("complete 9", 1, "RUNNING") in told


def test_of_several_objectives_tune_minimises_the_first():
    losses = []

    class Noting(FIFOScheduler):
        def on_trial_result(self, controller, trial, result):  # noqa: ARG002 - Tune's
            losses.append(result["loss"])
            return self.CONTINUE

    events = [
        Started(0, SPACE.architecture({"end": 0.5}), "0", EPOCHS, seed=0),
        Report(0, 1, {"val_accuracy": 0.75, "params": 7.0}),
    ]
    history = strategies.replay(events, strategies.ACCURACY_AND_SIZE)
    SchedulerReplay(Noting()).follow(history)
    assert losses == [-0.75]


def test_the_next_trial_is_known_only_while_there_is_one():
    made, told = noting()
    history, rng = History(), np.random.default_rng(0)
    for closed in (False, True, True, False):
        assert made.direct(history, SPACE, rng, closed=closed) is None
    assert [what for what, _, _ in told] == ["add", "remove", "add"]


def test_one_scheduler_serves_several_runs_and_stays_as_it_was():
    given = TUNES["hyperband"]()
    made = find_scheduler(given, {})
    one, other = (
        Run(Plan(SPACE, RandomSearch(SPACE), made, 12, EPOCHS, 0)).to_end(child=climb).events
        for _ in range(2)
    )
    assert one == other
    assert given.metric is None
    assert find_scheduler(given, {}) == made


def test_what_is_answered_from_the_journal_takes_no_place():
    first = Run(plan("asha", trials=8)).to_end(child=climb)
    architectures = [trial.architecture for trial in first.history.trials.values()]

    class Again:
        def propose(self, history, rng):  # noqa: ARG002 - by contract
            return Proposal(architectures[len(history.trials) // 2])

    for scheduler in TUNES:
        made = find_scheduler(TUNES[scheduler](), {})
        run = Run(Plan(SPACE, Again(), made, 8, EPOCHS, 0)).to_end(child=climb)
        assert run.history.trained == 8
        assert len(run.history.trials) > 8
        assert not run.history.failed
        assert ended_once(run)


@pytest.mark.parametrize(
    ("scheduler", "options", "says"),
    [
        (PopulationBasedTraining(hyperparam_mutations={"lr": [1, 2]}), {}, "scheduler 'pbt'"),
        (ResourceChangingScheduler(ASHAScheduler()), {}, "give the scheduler inside it"),
        (ASHAScheduler(metric="score", mode="max"), {}, "made without metric and mode"),
        (HyperBandScheduler(mode="max"), {}, "made without metric and mode"),
        (ASHAScheduler(), {"max_t": 3}, "so it takes no options"),
    ],
)
def test_what_cannot_be_led_is_refused(scheduler, options, says):
    with pytest.raises(ConfigError, match=says):
        find_scheduler(scheduler, options)


@pytest.mark.parametrize("made", [HyperBandScheduler(), HyperBandForBOHB(time_attr="epoch")])
def test_brackets_longer_than_any_trial_are_refused(made):
    with pytest.raises(ConfigError, match="needs max_t <= epochs, got a max_t of 81"):
        find_scheduler(made, {}).check(EPOCHS)


def test_a_scheduler_is_found_in_a_file(tmp_path):
    (tmp_path / "mine.py").write_text(
        "from ray.tune.schedulers import ASHAScheduler\nSCHEDULER = ASHAScheduler(max_t=9)\n"
    )
    made = find_scheduler(str(tmp_path / "mine.py"), {})
    assert isinstance(made.scheduler, ASHAScheduler)
