"""Trials that share devices, on a real Ray of four CPUs and one GPU that is only counted."""

import json
import os
from itertools import pairwise

import pytest

import raynas
from raynas.errors import ConfigError, RunError
from raynas.execution.gpu_device import GPUDevice
from raynas.execution.ray_tune import devices
from raynas.space import Architecture
from raynas.trial import Proposal, Retried

# Children that leave notes of where they run, and run out of memory when they are told to, or wait
# until four of them train; {folder} is where the notes lie, {driver} the process of the search.
GREEDY_SPACE = """
import os
import time
from pathlib import Path

import torch
from torch import nn

from raynas.space import Choice, Int, Space

HERE = Path({folder!r})
SPACE = Space({{"size": Choice(["small", "large", "vast", "greedy", "insatiable", "cpu", "meets"]),
    "n": Int(0, 99)}})
SHARES = {{"small": 0.25, "large": 1, "vast": 7, "greedy": 0.5, "insatiable": 0.5, "cpu": 0,
    "meets": 0.25}}
PATIENCE = 600  # seconds; the machine may be busy


def resources(architecture):
    cpus = 2 if architecture["size"] == "cpu" else 1
    return {{"cpus": cpus, "gpus": SHARES[architecture["size"]]}}


class Child(nn.Module):
    def __init__(self, features, classes, size):
        super().__init__()
        self.size, self.net = size, nn.Linear(features, classes)

    def forward(self, inputs):
        if self.training and self.size in ("greedy", "insatiable"):
            told = HERE / self.size
            if self.size == "insatiable" or not told.exists():
                told.touch()
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 TiB.")
        if self.training and self.size == "meets" and os.getpid() != {driver}:
            meet()  # not the driver, which computes how much memory it takes
        time.sleep(0.02)
        return self.net(inputs.flatten(1))


def meet():
    "Wait until four workers are here."
    (HERE / f"met {{os.getpid()}}").touch()
    deadline = time.monotonic() + PATIENCE
    while len([*HERE.glob("met *")]) < 4:
        if time.monotonic() > deadline:
            raise ValueError("the others never came")
        time.sleep(0.01)


def build(architecture, input_shape, classes):
    with (HERE / "workers").open("a") as file:
        file.write(f"{{architecture['size']}} {{os.getpid()}} {{torch.get_num_threads()}}\\n")
    return Child(64, classes, architecture["size"])
"""


@pytest.fixture(scope="module")
def cluster(clusters):
    return clusters.of(num_cpus=4, num_gpus=1)


@pytest.fixture
def mine(tmp_path, cluster, monkeypatch):  # noqa: ARG001 - whose runs need it
    from raynas.execution.ray_tune import trainable  # noqa: PLC0415 - loads Ray

    packed = trainable.PackedContext

    class OnTheCPU(packed):
        """Whoever gets a share of the counted GPU computes on the CPU."""

        @classmethod
        def of(cls, work, device):
            assert device == "cuda"
            return packed.of(work, "cpu")

    monkeypatch.setattr(trainable, "PackedContext", OnTheCPU)
    text = GREEDY_SPACE.format(folder=str(tmp_path), driver=os.getpid())
    (tmp_path / "space.py").write_text(text)
    return tmp_path


class Script:
    def __init__(self, *sizes):
        self.sizes = sizes

    def __repr__(self):
        return "Script"

    def propose(self, history, rng):  # noqa: ARG002 - by contract
        number = len(history.trials)
        return Proposal(Architecture({"size": self.sizes[number], "n": number}))


def search(mine, *sizes, watchers=(), **settings):
    return raynas.search(
        watchers,
        space=str(mine / "space.py"),
        searcher=Script(*sizes),
        trials=len(sizes),
        # With a limit on failures no network is looked at before the first trial.
        **{
            "scheduler": "none",
            "epochs": 3,
            "max_failures": 99,
            "output": mine / "run",
            **settings,
        },
    )


def spans(history):
    """Return when the epochs of each trial began and ended."""
    return {
        trial.number: (trial.reports[0].at - trial.reports[0].seconds, trial.reports[-1].at)
        for trial in history.finished
    }


def workers(mine):
    """Return what each worker wrote; this process builds networks to draw them."""
    lines = [line.split() for line in (mine / "workers").read_text().splitlines()]
    return [words for words in lines if int(words[1]) != os.getpid()]


@pytest.mark.slow
def test_small_ones_run_side_by_side_and_large_ones_alone(mine):
    sizes = ("small", "large", "small", "cpu", "small", "small")
    history = search(mine, *sizes).history
    assert len(history.finished) == 6
    ran = spans(history)
    begin, end = ran[1]
    beside = [n for n, span in ran.items() if n != 1 and span[0] < end and begin < span[1]]
    assert all(sizes[n] == "cpu" for n in beside), beside
    threads = {size: int(count) for size, _, count in workers(mine)[:-1]}
    assert (threads["small"], threads["large"], threads["cpu"]) == (1, 1, 2)
    processes = {}
    for size, pid, _ in workers(mine)[:-1]:
        processes.setdefault(pid, set()).add(size)
    assert all(len(of) == 1 for of in processes.values())  # only equal shares follow each other


@pytest.mark.slow
def test_short_of_memory_is_retried_alone_then_given_up(mine):
    history = search(mine, "greedy", "small", "insatiable", "small").history
    finished = {history.trials[t.number].architecture["size"] for t in history.finished}
    assert finished == {"greedy", "small"}
    assert history.trials[0].tries("gpu")
    (failed,) = history.failed
    assert failed.tries("gpu")
    assert failed.outcome.out_of_memory
    assert failed.outcome.reason == (
        "out of memory: CUDA out of memory. Tried to allocate 2 TiB. (with a GPU to itself)"
    )
    told = [json.loads(line) for line in (mine / "run" / "journal.jsonl").read_text().splitlines()]
    assert [line["number"] for line in told if line["event"] == "retried"].count(0) == 1


class Killed:
    def write(self, event, history):  # noqa: ARG002 - by contract
        if isinstance(event, Retried):
            raise KeyboardInterrupt


@pytest.mark.slow
def test_killed_before_the_second_try_it_still_has_it(mine):
    with pytest.raises(KeyboardInterrupt):
        search(mine, "greedy", "small", watchers=[Killed()])
    assert raynas.load(mine / "run").history.trials[0].tries("gpu")
    history = raynas.resume(mine / "run", searcher=Script("greedy", "small")).history
    assert [trial.tries("gpu") for trial in history.trials.values()] == [1, 0]
    assert len(history.finished) == 2


@pytest.mark.slow
def test_with_a_device_to_itself_there_is_no_second_try(mine):
    with (mine / "space.py").open("a") as file:
        file.write("\nSHARES['greedy'] = 1\n")
    with pytest.raises(RunError, match="out of memory: CUDA out of memory"):
        search(mine, "greedy")
    (failed,) = raynas.load(mine / "run").history.failed
    assert failed.outcome.out_of_memory
    assert not failed.retries


@pytest.mark.slow
@pytest.mark.parametrize("share", [{}, {"gpus_per_trial": "auto"}])
def test_where_the_device_is_not_known_trials_get_whole_ones(mine, share):
    text = (mine / "space.py").read_text().replace("def resources", "def unused")
    (mine / "space.py").write_text(text)
    ran = spans(search(mine, "small", "small", "small", **share).history)
    order = sorted(ran.values())
    assert len(order) == 3
    assert all(end <= begin for (_, end), (begin, _) in pairwise(order))


@pytest.mark.slow
def test_trials_share_a_device_that_is_known_from_the_first(mine, monkeypatch):
    known = GPUDevice(2**36)
    monkeypatch.setattr(devices, "first_device", lambda elsewhere: known)  # noqa: ARG005
    text = (mine / "space.py").read_text().replace("def resources", "def unused")
    (mine / "space.py").write_text(text)
    history = search(mine, *["meets"] * 4, epochs=1).history
    assert len(history.finished) == 4
    assert sum(session.opened.gpus * session.opened.slots for session in history.sessions) == 1


@pytest.mark.slow
def test_nodes_that_have_no_real_gpu_tell_nothing(mine):  # noqa: ARG001 - needs the cluster
    assert devices.first_device(elsewhere=True) is None


# What workers with a GPU would report of its memory, and a note of how much of the GPU each got.
MEASURED = """
import ray

from raynas.execution import worker

unmeasured = build


def build(architecture, input_shape, classes):
    if ray.is_initialized() and os.getpid() != {driver}:
        worker.peak = lambda device: {{"peak_memory": 2**20, "device_memory": 2**36}}
        with (HERE / "gpus").open("a") as file:
            file.write(f"{{ray.get_runtime_context().get_assigned_resources()['GPU']}}\\n")
    return unmeasured(architecture, input_shape, classes)
"""


@pytest.mark.slow
def test_once_memory_was_measured_auto_gives_parts_of_devices(mine):
    text = (mine / "space.py").read_text().replace("def resources", "def unused")
    (mine / "space.py").write_text(text + MEASURED.format(driver=os.getpid()))
    search(mine, *["small"] * 8, gpus_per_trial="auto", epochs=1)
    *gpus, _ = map(float, (mine / "gpus").read_text().split())  # the last is the winner's
    assert gpus[0] == 1
    assert gpus[-1] == 1 / 8


def test_what_no_node_has_fails_with_the_reason_and_nonsense_before_anything_starts(mine):
    with pytest.raises(RunError, match="needs 1 CPUs and 7 GPUs on one node, but the nodes"):
        search(mine, "vast")
    with (mine / "space.py").open("a") as file:
        file.write("\ndef resources(architecture): return {'gpu': 1}\n")
    with pytest.raises(ConfigError, match="no resource 'gpu': did you mean 'gpus'"):
        search(mine, "small", output=mine / "other")
    assert not (mine / "other").exists()
