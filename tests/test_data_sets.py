"""Data sets of a user's own: their batches, and what is refused."""

import threading
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import Dataset, TensorDataset

from raynas.data import Data
from raynas.errors import ConfigError, DataError
from raynas.execution.ray_tune.packing_code import Packed
from raynas.execution.training_context import TrainingContext
from raynas.execution.trial_spec import TrialSpec
from raynas.execution.worker import train
from raynas.goals import Classification
from raynas.training.loading import batches_of
from raynas.training.recipe import Recipe

CPU = torch.device("cpu")
GOAL = Classification(classes=2)


class Numbers(Dataset):
    """Inputs are the number of the example, and one that is drawn."""

    def __init__(self, count):
        self.count = count

    def __len__(self):
        return self.count

    def __getitem__(self, number):
        if not 0 <= number < self.count:
            raise IndexError(number)
        drawn = np.random.rand()  # noqa: NPY002 - a user's code
        return np.array([number, drawn], np.float32), number % 2


class Stream:
    def __iter__(self):
        return (Numbers(11)[at] for at in range(11))


def data(part, **more):
    return Data(part, part, part, goal=GOAL, **more)


def epoch(part, *, seed=0, size=4, **more):
    batches = batches_of(part, data(part, **more), CPU, size, more.get("workers") or 0)
    generator = torch.Generator().manual_seed(seed)
    return list(batches.training(Recipe(batch_size=size), generator))


@pytest.mark.parametrize("part", [Numbers(11), [*Stream()]], ids=["data set", "list"])
def test_each_epoch_sees_every_example_once_in_its_own_order(part):
    one, again, other = (epoch(part, seed=seed) for seed in (0, 0, 1))
    seen = [
        torch.cat([inputs[:, 0] for inputs, _ in batches]).tolist() for batches in (one, other)
    ]
    assert [sorted(each) for each in seen] == [list(range(11))] * 2
    assert seen[0] != seen[1] != list(range(11))
    for (inputs, targets), (same, _) in zip(one, again, strict=True):
        assert torch.equal(inputs[:, 0], same[:, 0])
        assert torch.equal(inputs[:, 0].long() % 2, targets)
    assert [len(targets) for _, targets in one] == [4, 4, 3]


def test_a_stream_is_read_in_its_order_and_a_rest_of_one_example_is_left_out():
    assert [len(targets) for _, targets in epoch(Stream(), size=5)] == [5, 5]
    assert [inputs[0, 0] for inputs, _ in epoch(Stream(), size=4)] == [0.0, 4.0, 8.0]
    batches = batches_of(Stream(), data(Stream()), CPU, 5)
    assert sum(len(targets) for _, targets in batches.scoring()) == 11  # scores leave out nothing


def test_whole_batches_are_taken_as_they_are():
    batches = [(torch.zeros(size, 2), torch.zeros(size, dtype=torch.int64)) for size in (3, 1, 2)]
    assert [len(targets) for _, targets in epoch(batches, batched=True)] == [3, 2]
    inputs, targets = batches_of(batches, data(batches, batched=True), CPU, 4).some(5)
    assert (len(inputs), len(targets)) == (5, 5)


def test_examples_of_different_lengths_are_collated_by_the_task():
    ragged = [(torch.ones(length), length % 2) for length in (1, 2, 3, 4)]

    def padded(examples):
        inputs, targets = zip(*examples, strict=True)
        return nn.utils.rnn.pad_sequence(inputs, batch_first=True), torch.tensor(targets)

    ((inputs, targets),) = epoch(ragged, collate=padded)
    assert inputs.sum() == 10
    assert inputs.shape == (4, 4)
    assert sorted(targets.tolist()) == [0, 0, 1, 1]


@pytest.mark.slow
def test_another_process_loads_the_same_examples():
    class Local(Numbers):  # pickle alone cannot send it
        pass

    here, there = epoch(Local(11)), epoch(Local(11), workers=1)
    for (inputs, targets), (same, labels) in zip(here, there, strict=True):
        assert torch.equal(inputs[:, 0], same[:, 0])
        assert torch.equal(targets, labels)


def build(_):
    return nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))


def told(events):
    return [(event.epoch, dict(event.metrics)) for event in events]


def test_a_trial_goes_on_bit_for_bit(tmp_path):
    context = TrainingContext(build, Recipe(batch_size=4, lr=0.01), data(Numbers(11)), "cpu")
    spec = TrialSpec(0, {}, epochs=3, seed=1, checkpoint=str(tmp_path / "a.pt"))
    whole = told(train(context, replace(spec, checkpoint=str(tmp_path / "b.pt"))))
    assert whole[0][1]["params"] == 2 * 8 + 8 + 16 + 8 * 2 + 2
    assert told(islice(train(context, spec), 1)) == whole[:1]
    assert told(train(context, spec)) == whole


def test_the_winner_is_trained_on_training_and_validation_examples():
    parts = [TensorDataset(torch.full((2, 1), at), torch.zeros(2)) for at in range(3)]
    merged = Data(*parts, goal=GOAL).merged()
    assert sorted(int(inputs) for inputs, _ in merged) == [0, 0, 1, 1]


def test_a_fingerprint_tells_data_apart():
    class Named(Numbers):
        def fingerprint(self):
            return "numbers of 2026"

    described = data(Named(11)).describe()["train"]
    assert (described["examples"], described["digest"]) == (11, "numbers of 2026")
    assert data(Numbers(11)).describe()["train"]["digest"] is None


BAD = {
    "empty": (lambda: data([]), "train is empty"),
    "a generator": (lambda: data(iter(Numbers(3))), "can be read once only"),
    "no data": (lambda: data(3), "three data sets"),
    "mixed": (lambda: Data(Numbers(3), Numbers(3), "abc", goal=GOAL), "three data sets"),
    "no goal": (lambda: Data(*[Numbers(3)] * 3), "data sets need a goal"),
    "no classes": (lambda: Data(*[Numbers(3)] * 3, goal=Classification()), "number of classes"),
    "three parts": (lambda: epoch([(1, 2, 3)] * 4), "pairs .*: it gives 3 parts"),
    "text": (lambda: epoch([("a", 0)] * 4), "tensors, arrays or numbers: got"),
}


@pytest.mark.parametrize(("make", "says"), BAD.values(), ids=BAD)
def test_what_is_no_data_set_is_refused(make, says):
    with pytest.raises(DataError, match=says):
        make()


def test_augmentation_is_the_business_of_the_data_set():
    with pytest.raises(ConfigError, match="changes its images itself: leave crop out"):
        batches_of(Numbers(3), data(Numbers(3)), CPU, 4).check(Recipe(crop=1))


def test_what_cannot_be_sent_to_workers_is_one_sentence():
    part = [(threading.Lock(), 0)]
    with pytest.raises(ConfigError, match="must be picklable: cannot pickle"):
        Packed.of(data(part))
