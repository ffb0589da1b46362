"""What is unusual in data is said, and usual data are passed over in silence."""

import numpy as np
import pytest

from raynas.data import Data, Split
from raynas.errors import ConfigError, DataError
from raynas.experiment.experiment import Experiment
from raynas.experiment.resolve.data_notes import unusual
from raynas.experiment.resolve.resolved import resolve
from raynas.tasks import TASKS, Source


def data(change=None, names="abc", *, ids=False):
    """Return images, or ids, of three classes; ``change`` is given inputs and labels by part."""
    rng = np.random.default_rng(0)
    parts = {}
    for part, count in {"train": 60, "valid": 30, "test": 30}.items():
        inputs = rng.integers(0, 256, (count, 1, 4, 4)).astype(np.float64)
        parts[part] = [inputs.reshape(count, -1).astype(int) if ids else inputs]
        parts[part].append(np.arange(count) % 3)
    if change is not None:
        change(parts)
    train, valid, test = (Split.of(*part) for part in parts.values())
    return Data.split(train, seed=0, valid=valid, test=test, names=names)


def copy(parts):
    parts["test"][0][:4] = parts["train"][0][10:14]
    parts["valid"][0][7] = parts["train"][0][3]


def relabel(part, old, new):
    def change(parts):
        labels = parts[part][1]
        labels[labels == old] = new

    return change


def keep_one(parts):
    labels = parts["train"][1]
    labels[np.flatnonzero(labels == 2)[1:]] = 0


def scale(parts):
    parts["test"][0] = parts["test"][0] / 255


def blank(parts):
    parts["train"][0][[3, 5]] = 7.0


def round_to_bytes(parts):
    for part in parts.values():
        part[0] = np.rint(part[0] / 255).astype(np.uint8)


SAID = {
    "repeated": (copy, ["1 of 30 validation examples is also among the training examples",
                        "4 of 30 test examples are also among the training examples"]),
    "no example in a part": (relabel("valid", 1, 0), ["no validation example of class b"]),
    "uneven": (keep_one, ["classes have from 1 (c) to 39 (a) training examples"]),
    "scale": (scale, ["values of test examples are 0 to 1, and those of "
                      "training examples 0 to 255"]),
    "blank": (blank, ["2 of 60 training images have one value in all pixels"]),
    "bytes": (round_to_bytes, ["bytes, 0 to 255, are only 0 to 1"]),
}  # fmt: skip


@pytest.mark.parametrize("case", SAID)
def test_what_is_unusual_is_said_and_nothing_else(case):
    change, said = SAID[case]
    assert unusual(data(change)) == said


@pytest.mark.parametrize("ids", [False, True])
def test_usual_data_and_those_that_come_with_raynas_are_passed_over(ids):
    assert unusual(data(ids=ids)) == []
    assert unusual(TASKS["digits"]().load(Source(), seed=0)) == []


def test_a_class_without_any_example_is_said_once():
    assert unusual(data(names="abcd")) == ["no example of class d"]


def test_many_classes_are_named_in_part():
    many = Data.split(Split.of(np.arange(200.0)[:, None], np.arange(200) % 90), seed=0)
    said = unusual(many)
    assert any("and" in one and one.startswith("no test example of classes") for one in said)
    assert "90 classes for 120 training examples" in said


def test_a_split_made_by_hand_may_not_hold_what_is_no_number():
    usual = data()
    inputs = usual.test.inputs.copy()
    inputs[17, 0, 2, 2] = np.inf
    made = Data(usual.train, usual.valid, Split(inputs, usual.test.targets), norm=usual.norm)
    with pytest.raises(DataError, match="test example 17 has NaN or infinity"):
        unusual(made)


class Own:
    name = "own"
    recipe = {}  # noqa: RUF012 - as the docstring of Task shows it

    def __init__(self, loaded):
        self.loaded = loaded

    def load(self, source, seed):  # noqa: ARG002 - as a task has it
        return self.loaded


def test_it_is_one_line_at_the_start(caplog):
    resolve(Experiment(space="mlp", task=Own(data(blank, names="abcd"))))
    (said,) = [record.getMessage() for record in caplog.records]
    assert said == (
        "the data are unusual: no example of class d; 2 of 60 training images have one value in "
        "all pixels"
    )


@pytest.mark.parametrize(
    ("loaded", "said"),
    [
        ((np.zeros((9, 4)), np.zeros(9)), r"tuple of 2 \(ndarray of float64 and shape \(9, 4\), "),
        ({"x": np.zeros(9)}, r"dict of 1 \(ndarray of float64 and shape \(9,\)\): return Data"),
        (None, "NoneType: return"),
    ],
)
def test_a_task_that_loads_something_else_is_refused_without_its_contents(loaded, said):
    with pytest.raises(ConfigError, match=rf"'own' loads {said}") as caught:
        resolve(Experiment(space="mlp", task=Own(loaded)))
    assert "array(" not in str(caught.value)
