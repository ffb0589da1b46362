"""The adapter that Ray Tune asks for trials, asked without a Ray."""

import json
from dataclasses import dataclass, replace

import pytest
from local_runs import Run, learn
from ray.tune import Experiment, Trainable

from raynas.execution.limits import Limits
from raynas.execution.packing import FreeResources, Resources, Shares
from raynas.execution.plan import Plan
from raynas.execution.ray_tune.bridge import Bridge
from raynas.execution.ray_tune.conductor_scheduler import ConductorScheduler
from raynas.execution.ray_tune.conductor_search import ConductorSearchAlgorithm
from raynas.execution.ray_tune.final_training import FinalTraining
from raynas.execution.ray_tune.timeouts import Timeouts
from raynas.execution.ray_tune.trainable import FINAL
from raynas.schedulers import Verdict
from raynas.schedulers.run_to_end import RunToEnd
from raynas.searchers.random import RandomSearch
from raynas.space import Choice, Space
from raynas.trial import Failed, Resumed, Started

SPACE = Space({"gpus": Choice((0.5, 1.0)), "n": Choice(range(50))})
NODE = (Resources(16.0, 1.0),)


@dataclass(frozen=True)
class Told:
    """What a worker would be told."""

    number: int


def tuned(run, folder, final=None):
    """Play Ray Tune: ask for trials and let those that were given report, to the end.

    The winner's worker is lost.
    """
    shares = Shares(Resources(1.0, 0.5), NODE, lambda one: {"gpus": one["gpus"]})
    final = final or FinalTraining(choose=lambda: None, take=lambda _: None)
    searcher = ConductorSearchAlgorithm(
        Bridge(
            run.conductor,
            lambda t: Told(t.number),
            final,
            shares,
            FreeResources(NODE),
            Timeouts(None, 1.0),
        )
    )
    experiment = Experiment("tuned", Trainable, storage_path=str(folder))
    searcher.add_configurations([experiment])
    live = {}
    for _ in range(5000):
        reached, given = run.conductor.limit, searcher.next_trial()
        if given is not None:
            assert not reached, "it starts after a limit was reached"
            number = json.loads(given.config["spec"])["number"]
            if FINAL in given.config:
                assert not live
                searcher.on_trial_complete(given.trial_id, error=True)
                continue
            live[given.trial_id] = learn(run.history.trials[number])
        elif searcher.is_finished() and not live:
            return run
        for trial_id, reports in [*live.items()]:
            if run.conductor.report(next(reports)) is Verdict.STOP:
                del live[trial_id]
                searcher.on_trial_complete(trial_id)
    raise AssertionError("it never ends")


def test_what_waits_for_room_does_not_start_once_a_limit_is_reached_but_later(tmp_path):
    waited = 0
    for seconds in range(20, 60):
        plan = Plan(SPACE, RandomSearch(SPACE), RunToEnd(), 12, 5, 0, Limits(time=seconds))
        run = tuned(Run(plan).opened(2), tmp_path)
        assert run.conductor.limit == "time"
        left = [trial.number for trial in run.history.running]  # these were waiting
        waited += len(left)
        more = Plan(SPACE, RandomSearch(SPACE), RunToEnd(), 12, 5, 0)
        again = Run(more, list(run.events)).opened(2)
        before = len(again.events)
        tuned(again, tmp_path)
        begun = [e for e in again.events[before:] if isinstance(e, Started | Resumed)]
        assert not {event.number for event in begun if isinstance(event, Started)} & {*left}
        trained = [trial for trial in again.history.trials.values() if trial.trained]
        assert [trial.epoch for trial in trained] == [5] * 12
    assert waited


@pytest.mark.parametrize("trials", [0, 1, 7])
def test_the_winner_comes_last_and_once_when_no_trial_runs_and_its_loss_is_told(tmp_path, trials):
    run = Run(Plan(SPACE, RandomSearch(SPACE), RunToEnd(), 7, 2, 0))
    if trials < 7:  # the search was cut off, or is over before it begins
        run.conductor.plan = replace(run.conductor.plan, trials=trials)
    chosen, taken = [], []  # its worker is lost three times

    def choose():
        assert not run.history.running
        chosen.append(len(run.history.finished))
        return Told(0) if trials else None

    tuned(run.opened(2), tmp_path, FinalTraining(choose, taken.append))
    assert chosen == [trials]
    assert [(event.number, event.reason[:20]) for event in taken] == [
        (0, "its worker was lost:") for _ in range(min(trials, 1))
    ]


def test_a_winner_short_of_memory_on_a_part_of_a_gpu_is_trained_again_alone(tmp_path):
    run = Run(Plan(SPACE, RandomSearch(SPACE), RunToEnd(), 2, 2, 0)).opened(2).to_end()
    taken, node = [], (Resources(16.0, 4.0),)
    final = FinalTraining(choose=lambda: Told(0), take=taken.append)
    shares = Shares(Resources(1.0, 0.25), node)
    bridge = Bridge(run.conductor, None, final, shares, FreeResources(node), Timeouts(None, 1.0))
    searcher, scheduler = ConductorSearchAlgorithm(bridge), ConductorScheduler(bridge)
    searcher.add_configurations([Experiment("tuned", Trainable, storage_path=str(tmp_path))])
    full, held = Failed(0, "out of memory", out_of_memory=True), []
    while not searcher.is_finished():
        told = searcher.next_trial()
        held.append(told._default_placement_group_factory.bundles[0]["GPU"])
        assert scheduler.on_trial_result(None, told, {FINAL: full}) == "STOP"
        searcher.on_trial_complete(told.trial_id, {})
    assert held == [0.25, 1.0]
    (failed,) = taken
    assert failed.reason == "out of memory (with a GPU to itself)"
    assert bridge.error is None
