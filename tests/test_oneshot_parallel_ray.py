"""Supernets that several workers of Ray train together: ended, lost, and left."""

import os
import signal

import in_process
import oneshot_cases
import pytest
from command import called
from oneshot_cases import CPUS, spec, together
from ray.tune.utils.util import flatten_dict
from ray.util import placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy
from ray_runs import PATIENCE, cli, descendants, events, members, process, wait_until

from raynas.execution.ray_tune.peer_processes import DataParallelTrainable
from raynas.execution.ray_tune.trainable import PackedContext, as_config, as_event
from raynas.execution.work import Work
from raynas.journal import read

pytestmark = pytest.mark.slow

EPOCHS = 12


def search(folder, workers):
    space = ("--set", "space.channels=4", "--set", "space.cells=1")
    lengths = ("--supernet-epochs", EPOCHS, "--epochs", 1, "--trials", 1)
    method = ("--method", "random-ws", "--set", "method.samples=4")
    return (
        *("search", *space, *lengths, *method),
        *("--supernet-workers", workers, "--output", folder),
        *("--max-failures", 9),  # no network is tried before the first trial
    )


def trained_by_one(folder):
    """Return the journal of the supernets of a run of this process, without Ray."""
    with in_process.without_ray():
        status, _, errors = called(*search(folder, 1))
    assert status == 0, errors
    return events(folder / "supernets")


def trained_by_two(folder):
    """Return the journal of the supernets, once they are trained; the rest of the run is not."""
    with process(*cli(*search(folder, 2))) as started:
        ended = {"finished", "failed"}
        assert wait_until(
            lambda: any(one["event"] in ended for one in events(folder / "supernets")), started
        )
    return events(folder / "supernets")


def kinds(told):
    return [(one["event"], one.get("epoch"), sorted(one.get("metrics", ()))) for one in told]


def numbers(parent, name):
    """Return the numbers of processes below a process, by the beginning of their name."""
    return [pid for pid, known in descendants(parent).items() if known.startswith(name)]


def the_one(parent, name, started=None):
    """Return the number of the only process of this name; wait while a lost one is replaced."""
    found = []

    def is_alone():
        found[:] = numbers(parent, name)
        return len(found) == 1

    assert wait_until(is_alone, started), f"no {name} before the end"
    return found[0]


def test_two_workers_write_the_journal_of_one_and_survive_the_loss_of_either(tmp_path):
    """Lost first the worker that accompanies the trial, then the trial's own."""
    alone, together = trained_by_one(tmp_path / "one"), trained_by_two(tmp_path / "two")
    assert kinds(together) == kinds(alone)
    lost = tmp_path / "lost"
    with process(*cli(*search(lost, 2))) as started:
        assert wait_until(lambda: len(events(lost / "supernets")) > 3, started)
        other = the_one(started.pid, "ray::PeerProces", started)
        os.kill(other, signal.SIGKILL)
        assert wait_until(lambda: len(events(lost / "supernets")) > 8, started)
        other = the_one(started.pid, "ray::PeerProces", started)
        # The name of what an actor calls follows this one only during a call.
        own = the_one(started.pid, "ray::_Inner", started)
        os.kill(own, signal.SIGKILL)
        assert wait_until(lambda: other not in members(started.pid), started)
        output, errors = started.communicate(timeout=PATIENCE)
        assert started.returncode == 0, errors
    assert "runs again in a new worker: process 1 of its training failed" in output + errors
    told = events(lost / "supernets")
    retried = [one for one in told if one["event"] == "retried"]
    assert [one["remedy"] for one in retried] == ["worker", "worker"]
    assert [one for one in told if one not in retried] == together
    assert read(lost).history.winner is not None


def test_a_trial_that_is_stopped_takes_the_other_processes_along(cluster, tmp_path):
    class Own:
        """A trial's own worker, as Tune makes it, but it can be asked what it does."""

        def __init__(self, packed, spec):
            self.trainable = DataParallelTrainable.__new__(DataParallelTrainable)
            self.trainable._trial_info = None  # Tune names it
            self.trainable.setup(as_config(spec, CPUS), packed)

        def step(self):
            return self.trainable.step()

        def stop(self):
            self.trainable.cleanup()

    context = together("random-ws")
    work = Work(context.build, context.recipe, context.data, context.loop, (oneshot_cases,))
    place = placement_group([{"CPU": 1}] * 2)
    here = PlacementGroupSchedulingStrategy(place, 0)
    made = cluster.remote(num_cpus=1, scheduling_strategy=here)(Own)
    own = made.remote(
        [cluster.put(PackedContext.of(work, "cpu"))], spec(tmp_path, "random-ws", epochs=99)
    )
    first, second = (as_event(flatten_dict(cluster.get(own.step.remote()))) for _ in range(2))
    assert (first.epoch, second.epoch) == (1, 2)
    assert the_one(os.getpid(), "ray::PeerProces")
    cluster.get(own.stop.remote())
    assert wait_until(lambda: not numbers(os.getpid(), "ray::PeerProces"))
    remove_placement_group(place)
