"""`raynas check` on data sets that do not tell their length, or that come in batches."""

import io

import numpy as np
from rich.console import Console

from raynas.experiment.check.network_probe import First, NetworkProbe
from raynas.experiment.check.preflight import PreflightBudget, preflight
from raynas.experiment.experiment import Experiment
from raynas.experiment.resolve.resolved import resolve
from raynas.insight.text.preflight import print_preflight

SPACE = """
from torch import nn
from raynas import Choice, Space

SPACE = Space({"width": Choice([4, 8])})


def build(architecture, input_shape=None):
    return nn.Sequential(nn.Linear(3, architecture["width"]), nn.Linear(architecture["width"], 2))
"""
TASK = """
import torch
from raynas.data import Data
from raynas.goals import Classification


class Stream:
    def __iter__(self):
        return iter([{item}] * 50)


class Known(Stream):
    def __len__(self):
        return 50


class TASK:
    name = "mine"

    @staticmethod
    def load(source, seed):
        part = {kind}()
        return Data(part, part, part, goal=Classification(classes=2), **{more})
"""
EXAMPLE, BATCH = "(torch.ones(3), 1)", "(torch.ones(8, 3), torch.ones(8, dtype=torch.int64))"


def looked(folder, **named):
    (folder / "space.py").write_text(SPACE)
    (folder / "task.py").write_text(TASK.format(**{"more": {}, **named}))
    settings = {"space": str(folder / "space.py"), "task": str(folder / "task.py")}
    return preflight(Experiment(trials=3, epochs=2, **settings), PreflightBudget(sample=2))


def test_the_time_of_data_without_a_length_is_unknown(tmp_path):
    found = looked(tmp_path, item=EXAMPLE, kind="Stream")
    assert found.failed == 0
    assert found.epoch_seconds is found.forecast is None
    console = Console(file=io.StringIO(), width=100)
    print_preflight(console, found)
    said = " ".join(console.file.getvalue().split())
    assert "time of an epoch unknown" in said
    assert "the time of the search is unknown, because the training or validation data do" in said
    assert found.as_data()["forecast"] is None


def test_the_time_of_batches_is_that_of_as_many_steps(tmp_path):
    found = looked(tmp_path, item=BATCH, kind="Known", more={"batched": True})
    assert found.failed == 0
    assert found.forecast.full_epochs == 6


class Counted:
    """A stream that counts how often it is read."""

    def __init__(self, count):
        self.count, self.read = count, 0

    def __iter__(self):
        for number in range(self.count):
            self.read += 1
            yield number


def test_a_stream_is_read_once():
    stream = Counted(9)
    first = First(stream, 5)
    assert [first[at] for at in range(5)] == [*first] == [0, 1, 2, 3, 4]
    assert stream.read == len(first) == 5
    assert [*First(Counted(3), 5)] == [0, 1, 2]


def test_one_step_of_batches_is_one_batch(tmp_path):
    looked(tmp_path, item=BATCH, kind="Known", more={"batched": True})
    experiment = Experiment(space=str(tmp_path / "space.py"), task=str(tmp_path / "task.py"))
    resolved = resolve(experiment)
    probe = NetworkProbe.of(resolved)
    architecture = resolved.space.space.sample(np.random.default_rng(0))
    assert len(probe._step(architecture)) == 1
