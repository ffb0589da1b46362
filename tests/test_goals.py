"""Goals against the metrics of scikit-learn, and their standard errors against the bootstrap."""

import json
from dataclasses import dataclass

import in_process
import numpy as np
import pytest
import torch
from sklearn import metrics as sk
from torch import nn
from torch.nn import functional

import raynas
from raynas.data import Data, Split
from raynas.errors import ConfigError, DataError, RunError, SpaceError
from raynas.experiment.run import search as search_module
from raynas.goals import Classification, Goal, MultiLabel, NextToken, Pixels, Regression
from raynas.goals import SequenceTagging as Tagging
from raynas.space import Choice, Space
from raynas.training.examples import Examples
from raynas.training.recipe import Recipe
from raynas.training.scores import evaluate
from raynas.training.train import Training

CPU = torch.device("cpu")
RNG = np.random.default_rng(0)
COUNT = 501  # examples, which are scored in three batches of 167


@pytest.fixture(autouse=True)
def drawn_anew():
    """Let each test draw the same, whatever tests ran before."""
    RNG.bit_generator.state = np.random.default_rng(0).bit_generator.state


def data_of(outputs, targets, goal=None):
    """Return data whose inputs are what the network ``nn.Identity()`` returns."""
    part = Split(np.asarray(outputs, np.float32), targets)
    return Data(part, part, part, goal=goal, norm=False)


def scored(data, child=None):
    examples = Examples.of(data.valid, data, CPU)
    return evaluate(child or nn.Identity(), examples)


def classes():
    logits = RNG.normal(size=(COUNT, 4))
    labels = np.where(RNG.random(COUNT) < 0.6, logits.argmax(1), RNG.integers(0, 4, COUNT))
    return logits, labels


def f1(logits, labels):
    return sk.f1_score(labels, logits.argmax(1), average="macro")


class Errors:
    """A metric that is an object: the number of wrong answers."""

    def __init__(self):
        self.count = 0

    def update(self, logits, labels):
        self.count += (logits.argmax(1) != labels).sum()

    def compute(self):
        return self.count


# What the metrics are


def test_classification():
    logits, labels = classes()
    own = Errors()
    goal = Classification(extra={"f1": f1, "errors": own})
    data = data_of(logits, labels, goal)
    found = scored(data).metrics
    assert found == {
        "loss": pytest.approx(sk.log_loss(labels, torch.tensor(logits).softmax(1)), rel=1e-5),
        "accuracy": pytest.approx(sk.accuracy_score(labels, logits.argmax(1)), rel=1e-6),
        "f1": pytest.approx(f1(torch.tensor(logits), labels), rel=1e-6),
        "errors": (labels != logits.argmax(1)).sum(),
    }
    assert scored(data).metrics == found  # the object counts each split for itself
    assert own.count == 0


def test_several_labels():
    logits = RNG.normal(size=(COUNT, 3))
    targets = np.where(RNG.random((COUNT, 3)) < 0.7, logits > 0, logits < 0).astype(np.int64)
    data = data_of(logits, targets, MultiLabel(names=("a", "b", "c")))
    assert data.told["outputs"] == 3
    chances = torch.tensor(logits).sigmoid().numpy()
    each = [sk.log_loss(targets[:, at], chances[:, at]) for at in range(3)]
    assert scored(data).metrics == {
        "loss": pytest.approx(np.mean(each), rel=1e-5),
        "accuracy": pytest.approx(1 - sk.hamming_loss(targets, logits > 0), rel=1e-6),
        "exact": pytest.approx(sk.accuracy_score(targets, logits > 0), rel=1e-6),
    }


@pytest.mark.parametrize("outputs", [1, 3])
def test_regression_has_the_units_of_its_targets(outputs):
    targets = RNG.normal((300, -2, 0.05)[:outputs], (100, 1, 0.001)[:outputs], (COUNT, outputs))
    found = RNG.normal(size=(COUNT, outputs))
    data = data_of(found, targets.astype(np.float32))
    mean, std = targets.mean(0), targets.std(0)
    predictions = found * std + mean
    known = scored(data).metrics
    error = sk.mean_squared_error(targets, predictions)
    assert known == {
        "loss": pytest.approx((((targets - mean) / std - found) ** 2).mean(), rel=1e-4),
        "rmse": pytest.approx(error**0.5, rel=1e-4),
        "mae": pytest.approx(sk.mean_absolute_error(targets, predictions), rel=1e-4),
        "r2": pytest.approx(sk.r2_score(targets, predictions), rel=1e-4),
    }


def test_what_targets_tell_and_what_they_do_not():
    inputs = np.zeros((6, 2))
    assert data_of(inputs, np.array([0, 1, 2, 0, 1, 2])).goal == Classification(classes=3)
    assert isinstance(data_of(inputs, np.linspace(0, 1, 6, dtype=np.float32)).goal, Regression)
    with pytest.raises(DataError, match=r"whole numbers .*; for real numbers, set .* Regression"):
        data_of(inputs, np.linspace(0, 1, 6, dtype=np.float32), Classification())
    with pytest.raises(DataError, match=r"0 or 1, \[examples, labels\]: got"):
        data_of(inputs, np.arange(6), MultiLabel())
    with pytest.raises(DataError, match=r"finite numbers: example 3 has NaN or infinity"):
        data_of(inputs, np.array([0, 0, 0, np.nan, 0, 0], np.float32))
    with pytest.raises(DataError, match="got 2 names for 3 labels"):
        data_of(inputs, np.zeros((6, 3), np.int64), MultiLabel(names=("a", "b")))
    hidden = data_of(inputs, np.array([7, 9, 7, 9, 7, 9]))
    assert (hidden.names, hidden.train.targets.tolist()) == (("7", "9"), [0, 1, 0, 1, 0, 1])


# How sure they are


def bootstrapped(metric, *arrays, repeats=300):
    """Return the deviation of a metric over resamples of the examples."""
    rng = np.random.default_rng(1)
    rows = [rng.integers(0, COUNT, COUNT) for _ in range(repeats)]
    return np.std([metric(*(array[one] for array in arrays)) for one in rows])


def near(error):
    return pytest.approx(error, rel=0.15)


def test_the_standard_errors_of_classification_are_those_of_the_bootstrap():
    logits, labels = classes()
    errors = scored(data_of(logits, labels)).errors
    loss = functional.cross_entropy(
        torch.tensor(logits), torch.tensor(labels), reduction="none"
    ).numpy()
    assert errors == {
        "loss": near(bootstrapped(np.mean, loss)),
        "accuracy": near(bootstrapped(np.mean, logits.argmax(1) == labels)),
    }


def test_the_standard_errors_of_regression_are_those_of_the_bootstrap():
    targets, found = RNG.normal(5, 3, (COUNT, 2)), RNG.normal(size=(COUNT, 2))
    errors = scored(data_of(found, targets.astype(np.float32))).errors
    wrong = found * targets.std(0) + targets.mean(0) - targets
    assert errors.keys() == {"loss", "rmse", "mae"}
    assert errors["rmse"] == near(bootstrapped(lambda one: (one**2).mean() ** 0.5, wrong))
    assert errors["mae"] == near(bootstrapped(lambda one: abs(one).mean(), wrong))


def alike(parts):
    """Return truth values ``[examples, parts]`` that are often equal within an example."""
    hard = RNG.random((COUNT, 1)) < 0.3
    return RNG.random((COUNT, parts)) < np.where(hard, 0.2, 0.95)


def test_parts_of_an_example_that_fail_together_are_no_further_examples():
    right = alike(12)
    error = bootstrapped(np.mean, right)
    targets = RNG.integers(0, 2, right.shape)
    logits = np.where(right == (targets == 1), 1.0, -1.0)
    found = scored(data_of(logits, targets, MultiLabel())).errors
    assert found["accuracy"] == near(error)
    assert found["exact"] == near(bootstrapped(lambda one: one.all(1).mean(), right))

    two = np.stack([-logits, logits], -1)
    assert scored(data_of(two, targets, Tagging())).errors["accuracy"] == near(error)
    assert scored(data_of(two, targets, NextToken())).errors["accuracy"] == near(error)
    image = two.transpose(0, 2, 1).reshape(COUNT, 2, 3, 4)
    pixels = data_of(image, targets.reshape(COUNT, 3, 4), Pixels())
    assert scored(pixels).errors["accuracy"] == near(error)


def test_examples_with_more_parts_count_more():
    right, there = alike(12), np.arange(12) < RNG.integers(1, 13, (COUNT, 1))
    targets = np.where(there, 1, -100)
    logits = np.stack([~right, right], -1)
    found = scored(data_of(logits, targets, Tagging(tags=2)))
    assert found.metrics["accuracy"] == pytest.approx(right[there].mean(), rel=1e-6)
    assert found.errors["accuracy"] == near(
        bootstrapped(lambda one, known: one[known].mean(), right, there)
    )


def test_an_accuracy_is_never_certain():
    right = np.eye(2)[np.arange(COUNT) % 2]
    found = scored(data_of(right, np.arange(COUNT) % 2))
    assert found.metrics["accuracy"] == 1.0
    assert 0.0 < found.errors["accuracy"] < 1 / COUNT


# Goals and metrics of one's own


@dataclass(frozen=True)
class Own(Goal):
    """Half of the mean absolute error, and whatever metrics are given."""

    given: object = None
    detached: bool = False
    reduction: str = "mean"

    def loss(self, outputs, targets):
        wrong = functional.l1_loss(outputs["near"], targets, reduction=self.reduction) / 2
        return wrong.detach() if self.detached else wrong

    def metrics(self):
        return dict(self.given or {})

    def predictions(self, outputs):
        return outputs["near"]


class Near(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 2)

    def forward(self, inputs):
        near = self.layer(inputs)
        return {"near": near, "auxiliary": near * torch.nan}


def own_data(**fields):
    inputs = RNG.normal(size=(COUNT, 2)).astype(np.float32)
    return data_of(inputs, RNG.normal(size=(COUNT, 2)).astype(np.float32), Own(**fields))


def test_a_goal_of_ones_own_needs_a_loss_only():
    data, child = own_data(), Near()
    with torch.no_grad():
        found = child.layer(torch.from_numpy(data.valid.inputs)).numpy()
    known = scored(data, child)
    assert known.metrics == {
        "loss": pytest.approx(sk.mean_absolute_error(data.valid.targets, found) / 2, rel=1e-5)
    }
    assert known.errors == {}  # a mean of batches does not tell


def test_the_metrics_of_ones_own_goal_are_functions_and_objects():
    class Largest(Errors):
        def update(self, found, wanted):
            self.count = max(self.count, float((found - wanted).abs().max()))

    own = Largest()
    data, child = own_data(given={"mae": functional.l1_loss, "most": own}), Near()
    with torch.no_grad():
        wrong = child.layer(torch.from_numpy(data.valid.inputs)).numpy() - data.valid.targets
    for _ in range(2):
        known = scored(data, child).metrics
        assert known["mae"] == pytest.approx(abs(wrong).mean(), rel=1e-5)
        assert known["most"] == pytest.approx(abs(wrong).max(), rel=1e-5)
    assert own.count == 0


def trained(data, child):
    examples = Examples.of(data.train, data, CPU)
    return Training(child, examples, Recipe(batch_size=100), epochs=2, seed=0).step()


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        (
            {"reduction": "none"},
            r"the loss of Own must be a tensor with one number .*\(\d+, 2\)",
        ),
        ({"detached": True}, r"the loss of Own must be a tensor with one number and a gradient"),
    ],
)
def test_a_loss_that_is_no_scalar_with_a_gradient_is_refused(fields, says):
    with pytest.raises(SpaceError, match=says):
        trained(own_data(**fields), Near())
    assert trained(own_data(), Near()).metrics["train_loss"] > 0


class Pair(Errors):
    def compute(self):
        return torch.zeros(2)


@pytest.mark.parametrize(
    ("metric", "says"),
    [
        (Pair(), "the metric pair must be one number: got tensor"),
        (lambda found, wanted: "good", "the metric pair must be one number: got 'good'"),  # noqa: ARG005
        (3, "the metric pair must be a function of predictions and targets, or an object"),
        (Pair, "the metric pair must be a function .* or an object .*got <class"),
    ],
    ids=["a vector", "a text", "a number", "a class"],
)
def test_a_metric_that_is_none_is_refused(metric, says):
    logits, labels = classes()
    with pytest.raises(ConfigError, match=says):
        scored(data_of(logits, labels, Classification(extra={"pair": metric})))


OUTPUTS = {
    "classification": (Classification(4), torch.zeros(2, 3), torch.zeros(2, dtype=torch.int64)),
    "labels": (MultiLabel(4), torch.zeros(2, 3), torch.zeros(2, 4)),
    "regression": (
        Regression(mean=(0.0,) * 4, std=(1.0,) * 4),
        torch.zeros(2, 3),
        torch.ones(2, 4),
    ),
}


@pytest.mark.parametrize(("goal", "outputs", "targets"), OUTPUTS.values(), ids=OUTPUTS)
def test_outputs_of_another_shape_name_both_shapes(goal, outputs, targets):
    with pytest.raises(SpaceError, match=r"must return one .*, \(2, 4\): got \(2, 3\)"):
        goal.loss(outputs, targets)
    with pytest.raises(SpaceError, match=r"forward must return the .*it returned a tuple of 2"):
        goal.loss((outputs, outputs), targets)


# From the task to the network that one uses


class Prices:
    """Two numbers for each example, in units of their own."""

    def load(self, source, seed):  # noqa: ARG002 - by contract
        inputs = RNG.normal(size=(200, 3))
        prices = inputs @ [[900.0, 1.0], [400.0, 0.0], [0.0, 2.0]] + [5000.0, -3.0]
        return Data.split(Split.of(inputs, prices), seed=seed)


class Linear:
    SPACE = Space({"bias": Choice([True, False])})

    @staticmethod
    def build(architecture, input_shape, outputs):
        return nn.Linear(*input_shape, outputs, bias=architecture["bias"])


def test_a_regression_is_searched_tested_and_used_in_the_units_of_its_targets(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(search_module, "_execute", in_process.execute)
    loaded = []
    task = Prices()
    task.load = lambda source, seed: loaded.append(Prices.load(task, source, seed)) or loaded[-1]
    result = raynas.search(
        space=Linear,
        task=task,
        output=tmp_path / "run",
        trials=2,
        epochs=3,
        searcher="random",
        scheduler="none",
        training={"batch_size": 20, "lr": 0.1},
    )
    test = loaded[0].test
    winner = raynas.load_winner(tmp_path / "run")
    found = winner(test.inputs)
    error = sk.root_mean_squared_error(test.targets.ravel(), found.numpy().ravel())
    assert result.winner.metrics["test_rmse"] == pytest.approx(error, rel=1e-3)
    assert error < 0.2 * test.targets.std()
    assert torch.allclose(winner(test.inputs[0]), found[:1], rtol=1e-4)
    card = json.loads((tmp_path / "run" / "winner" / "architecture.json").read_text())
    assert (card["goal"], card["brief"]) == ("Regression", {"input_shape": [3], "outputs": 2})
    for use in (winner.predict, winner.probabilities):
        with pytest.raises(RunError, match="does not predict classes"):
            use(test.inputs)
    first = (tmp_path / "run" / "journal.jsonl").read_text().splitlines()[0]
    assert "val_rmse" in first
