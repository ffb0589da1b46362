"""Several inputs and targets: dictionaries and tuples of arrays, from the task to predictions."""

import json
from dataclasses import dataclass, replace
from itertools import islice

import in_process
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import raynas
from raynas.data import Data, Split
from raynas.errors import ConfigError, DataError
from raynas.execution.training_context import TrainingContext
from raynas.execution.trial_spec import TrialSpec
from raynas.execution.worker import train
from raynas.experiment.run import search as search_module
from raynas.goals import Goal
from raynas.rng import seed_weights
from raynas.space import Int, Space
from raynas.training.examples import Examples
from raynas.training.export import interface
from raynas.training.recipe import Recipe
from raynas.training.scores import evaluate
from raynas.training.train import Training

CPU = torch.device("cpu")
COUNT = 160


def inputs_of(count=COUNT, seed=0):
    rng = np.random.default_rng(seed)
    return {
        "image": rng.integers(0, 200, (count, 1, 4, 4)).astype(np.uint8),
        "text": rng.integers(0, 7, (count, 5)),
        "table": rng.normal(50, 20, (count, 3)),
    }


def labels_of(inputs):
    """Return labels that each of the inputs has a part in."""
    bright = inputs["image"].mean((1, 2, 3)) > 100
    rich = inputs["table"].sum(1) > 150
    return (bright.astype(int) + rich + (inputs["text"][:, 0] > 3)) // 2


def data_of(**more):
    inputs = inputs_of()
    return Data.split(Split.of(inputs, labels_of(inputs)), seed=0, **more)


class Net(nn.Module):
    """A layer for each input; what the first linear layer sees is a sum."""

    def __init__(self, width=16, outputs=2):
        super().__init__()
        self.image, self.table = nn.Linear(16, width), nn.Linear(3, width)
        self.words = nn.Embedding(7, width)
        self.norm, self.last = nn.BatchNorm1d(width), nn.Linear(width, outputs)

    def forward(self, inputs):
        image, table = self.image(inputs["image"].flatten(1)), self.table(inputs["table"])
        return self.last(self.norm(image + table + self.words(inputs["text"][:, 0])).relu())


class Pair(Net):
    """The same with a tuple of two inputs."""

    def forward(self, inputs):
        image, text = inputs
        return self.last((self.image(image.flatten(1)) + self.words(text).mean(1)).relu())


def net(kind=Net, **more):
    seed_weights(0)
    return kind(**more)


# Data


def test_each_input_is_normalised_by_itself_and_ids_are_not():
    data = data_of()
    examples = Examples.of(data.train, data, CPU)
    (inputs, targets), *more = examples.scoring()
    assert not more
    assert inputs.keys() == data.train.inputs.keys()
    for name in ("image", "table"):
        axes = [axis for axis in range(inputs[name].ndim) if axis != 1]
        assert inputs[name].mean(axes).abs().max() < 1e-5
        assert inputs[name].std(axes, correction=0) == pytest.approx(1.0, abs=1e-5)
    assert torch.equal(inputs["text"], torch.from_numpy(data.train.inputs["text"]))
    assert torch.equal(targets, torch.from_numpy(data.train.targets))


def test_examples_stay_together_when_they_are_divided_and_drawn():
    number = np.arange(COUNT)
    inputs = (number[:, None] * 1.0, {"half": number[:, None] / 2})
    data = Data.split(Split.of(inputs, number * 3.0), seed=0, norm=False)
    assert sorted(len(part) for part in data.parts) == [32, 32, 96]
    merged = data.merged()
    assert len(merged) == 128
    batches = Examples.of(merged, data, CPU).training(
        Recipe(batch_size=10), torch.Generator().manual_seed(0)
    )
    seen = []
    for (whole, parts), targets in batches:
        assert torch.equal(whole / 2, parts["half"])
        assert torch.equal(whole * 3, targets)
        seen += whole.flatten().tolist()
    assert sorted(seen) == sorted(merged.inputs[0].ravel().tolist())
    assert len({*seen}) == 128


@pytest.mark.parametrize("name", ["image", "text", "table"])
def test_the_digest_knows_each_input(name):
    inputs = inputs_of()
    labels = labels_of(inputs)
    before = Split.of(inputs, labels)
    inputs[name] = inputs[name].copy()
    inputs[name][-1] = 3
    assert Split.of(inputs, labels).digest != before.digest
    assert Split.of(inputs_of(), labels).digest == before.digest


def without(name):
    return {key: part for key, part in inputs_of(8).items() if key != name}


TEXT = np.array([["a"]] * 8)
BAD = {
    "lengths": (
        lambda: Split.of({**inputs_of(8), "table": np.zeros((7, 3))}, np.arange(8)),
        "got 8 and 7 examples and 8 targets",
    ),
    "text": (
        lambda: Split.of({"text": TEXT, "table": np.zeros((8, 3))}, np.arange(8)),
        r"inputs\['text'\] must be numbers: got",
    ),
    "a part that another split lacks": (
        lambda: Data(*(Split.of(without(name), [0, 1] * 4) for name in ("", "text", ""))),
        r"all splits must hold the same inputs: got \['image', 'text', 'table'\] and",
    ),
    "nothing": (lambda: Split.of({}, np.arange(8)), "at least one example"),
}


@pytest.mark.parametrize(("make", "says"), BAD.values(), ids=BAD)
def test_parts_that_do_not_fit_are_named(make, says):
    with pytest.raises(DataError, match=says):
        make()


def test_augmentation_needs_a_single_input():
    data = data_of()
    with pytest.raises(ConfigError, match="crop need"):
        Examples.of(data.train, data, CPU).check(Recipe(crop=1))


# Training


def test_several_inputs_are_learnt_and_a_trial_goes_on_bit_for_bit(tmp_path):
    context = TrainingContext(lambda _: Net(), Recipe(batch_size=16, lr=0.05), data_of(), "cpu")
    spec = TrialSpec(0, {}, epochs=8, seed=1, checkpoint=str(tmp_path / "a.pt"))
    whole = [
        (one.epoch, dict(one.metrics))
        for one in train(context, replace(spec, checkpoint=str(tmp_path / "b.pt")))
    ]
    first, last = whole[0][1], whole[-1][1]
    assert first["flops"] == 17 * 16 + 4 * 16 + 17 * 2
    assert last["train_loss"] < 0.7 * first["train_loss"]
    assert last["val_accuracy"] > 0.8
    begun = [(one.epoch, dict(one.metrics)) for one in islice(train(context, spec), 3)]
    again = [(one.epoch, dict(one.metrics)) for one in train(context, spec)]
    assert (begun, again) == (whole[:3], whole)


@dataclass(frozen=True)
class Both(Goal):
    """A class and a number for each example; the network returns a dictionary."""

    def loss(self, outputs, targets):
        right = functional.cross_entropy(outputs["class"], targets["class"])
        return right + functional.mse_loss(outputs["more"]["number"], targets["number"])

    def metrics(self):
        return {"wrong": wrong_of}

    def predictions(self, outputs):
        return {"class": outputs["class"], "number": outputs["more"]["number"]}

    @property
    def brief(self):
        return {"outputs": 3}


def wrong_of(found, wanted):
    return (found["class"].argmax(1) != wanted["class"]).float().mean()


class BothNet(Net):
    def forward(self, inputs):
        outputs = super().forward(inputs)
        auxiliary = outputs.sum().reshape(1)  # without an axis of examples: for the loss only
        return {"class": outputs[:, :2], "more": {"number": outputs[:, 2:], "aux": auxiliary}}


def both_data():
    inputs = inputs_of()
    targets = {"class": labels_of(inputs), "number": inputs["table"][:, :1] / 50}
    return Data.split(Split.of(inputs, targets), seed=0, goal=Both())


def test_several_targets_and_outputs_are_trained_and_scored():
    data = both_data()
    valid = Examples.of(data.valid, data, CPU)
    child = net(BothNet, outputs=3)
    training = Training(
        child,
        Examples.of(data.train, data, CPU),
        Recipe(batch_size=16, lr=0.05),
        epochs=8,
        seed=0,
        valid=valid,
    )
    epochs = [training.step().metrics for _ in range(8)]
    assert epochs[-1]["val_loss"] < epochs[0]["val_loss"]
    with torch.no_grad():
        outputs = child.eval()(valid.normalised(valid.inputs))
        wanted = valid.targets
        loss = data.goal.loss(outputs, wanted).item()
        wrong = wrong_of(data.goal.predictions(outputs), wanted).item()
    assert evaluate(child, valid).metrics == {
        "loss": pytest.approx(loss, rel=1e-5),
        "wrong": pytest.approx(wrong, rel=1e-5),
    }


# Export and prediction


class Mixed:
    """A task of several inputs."""

    recipe = {"batch_size": 16, "lr": 0.05}  # noqa: RUF012 - as people write it

    def load(self, source, seed):  # noqa: ARG002 - by contract
        return data_of()


class Nets:
    SPACE = Space({"width": Int(8, 24)})

    @staticmethod
    def build(architecture, *, input_shape, classes):
        assert input_shape == {"image": (1, 4, 4), "text": (5,), "table": (3,)}
        return Net(architecture["width"], classes)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A finished run of a task of several inputs, trained in this process."""
    monkeypatch.setattr(search_module, "_execute", in_process.execute)
    raynas.search(
        space=Nets,
        task=Mixed(),
        output=tmp_path / "run",
        trials=2,
        epochs=2,
        searcher="random",
        scheduler="none",
    )
    return tmp_path / "run"


def test_a_winner_takes_several_inputs_and_its_run_is_resumed(run):
    winner = raynas.load_winner(run)
    parts = winner.card["input"]["parts"]
    assert {name: part["dtype"] for name, part in parts.items()} == {
        "image": "float32",
        "text": "int64",
        "table": "float32",
    }
    data = data_of()
    test = data.test
    found = winner(test.inputs)
    accuracy = (found.argmax(1).numpy() == test.targets).mean()
    tested = json.loads((run / "journal.jsonl").read_text().splitlines()[-1])
    assert tested["metrics"]["test_accuracy"] == pytest.approx(accuracy)
    assert winner.predict(test.inputs) == [str(label) for label in found.argmax(1).tolist()]
    one = {name: part[3] for name, part in test.inputs.items()}
    assert torch.allclose(winner(one), found[3:4], atol=1e-5)
    with pytest.raises(DataError, match="inputs must be image, text, table: got image, table"):
        winner({name: test.inputs[name] for name in ("image", "table")})
    with pytest.raises(DataError, match=r"\(examples, 3\) .*: got \(32, 2\)"):
        winner({**test.inputs, "table": test.inputs["table"][:, :2]})
    with pytest.raises(DataError, match="must be ids"):
        winner({**test.inputs, "text": test.inputs["text"] / 2})
    with pytest.raises(DataError, match="inputs must be image, text, table: got one"):
        winner(test.inputs["table"])
    again = raynas.resume(run, space=Nets, task=Mixed(), trials=3)
    assert len(again.leaderboard()) == 3


def test_a_tuple_of_inputs_is_exported_as_it_is(tmp_path):
    inputs = inputs_of()
    pair = (inputs["image"], inputs["text"])
    data = Data.split(Split.of(pair, labels_of(inputs)), seed=0)
    assert data.told["input_shape"] == {"0": (1, 4, 4), "1": (5,)}
    child = net(Pair).eval()
    winner = in_process.kept(tmp_path, child, data)
    examples = Examples.of(data.test, data, CPU)
    with torch.no_grad():
        expected = child(examples.normalised(examples.inputs))
    assert torch.allclose(winner(data.test.inputs), expected, atol=1e-5)
    with pytest.raises(DataError, match="inputs must be 0, 1: got 0, 1, 2"):
        winner((*data.test.inputs, data.test.inputs[0]))


def test_several_predictions_are_exported_without_what_the_loss_alone_needs(tmp_path):
    data = both_data()
    child = net(BothNet, outputs=3).eval()
    winner = in_process.kept(tmp_path, child, data)
    found = winner(data.test.inputs)
    examples = Examples.of(data.test, data, CPU)
    with torch.no_grad():
        outputs = child(examples.normalised(examples.inputs))
    assert found.keys() == {"class", "number"}
    assert torch.allclose(found["class"], outputs["class"], atol=1e-5)
    assert torch.allclose(found["number"], outputs["more"]["number"], atol=1e-5)
    assert interface(data).inputs.keys() == data.train.inputs.keys()
