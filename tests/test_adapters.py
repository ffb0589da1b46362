"""The adapter that Ray Tune asks for trials, asked without a Ray."""

import json
from dataclasses import dataclass

from local_runs import Run, learn
from ray.tune import Experiment, Trainable

from raynas.execution.limits import Limits
from raynas.execution.packing import Resources, Room, Shares
from raynas.execution.plan import Plan
from raynas.execution.ray_tune.conductor_adapters import Bridge, ConductorSearchAlgorithm
from raynas.execution.ray_tune.final_training import FinalTraining
from raynas.schedulers import Verdict
from raynas.schedulers.run_to_end import RunToEnd
from raynas.searchers.random import RandomSearch
from raynas.space import Choice, Space
from raynas.trial import Resumed, Started

SPACE = Space({"gpus": Choice((0.5, 1.0)), "n": Choice(range(50))})
NODE = (Resources(16.0, 1.0),)


@dataclass(frozen=True)
class Told:
    """What a worker would be told."""

    number: int


def tuned(run, folder):
    """Play Ray Tune: ask for trials and let those that were given report, to the end."""
    shares = Shares(Resources(1.0, 0.5), NODE, lambda one: {"gpus": one["gpus"]})
    nothing = FinalTraining(choose=lambda: None, take=lambda _: None)
    searcher = ConductorSearchAlgorithm(
        Bridge(run.conductor, lambda t: Told(t.number), nothing, shares, Room(NODE))
    )
    experiment = Experiment("tuned", Trainable, storage_path=str(folder), max_failures=2)
    searcher.add_configurations([experiment])
    live = {}
    for _ in range(5000):
        reached, given = run.conductor.limit, searcher.next_trial()
        if given is not None:
            assert not reached, "it starts after a limit was reached"
            number = json.loads(given.config["spec"])["number"]
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
