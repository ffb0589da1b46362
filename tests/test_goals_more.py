"""Goals of sequences and pixels, against other implementations and by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import jaccard_score
from torch import nn
from torch.nn import functional

from raynas.data import Data, Split
from raynas.errors import DataError, SpaceError
from raynas.goals import CTC, Goal, NextToken, Pixels, SequenceTagging
from raynas.goals.pixels import IGNORED
from raynas.goals.tokens import PADDING, collapsed, edit_distance
from raynas.training.examples import Examples
from raynas.training.scores import evaluate

GENERATOR = np.random.default_rng(0)
IDS = GENERATOR.integers(0, 5, (30, 7))


@pytest.fixture(autouse=True)
def drawn_anew():
    """Let each test draw the same, whatever tests ran before."""
    GENERATOR.bit_generator.state = np.random.default_rng(1).bit_generator.state


def near(number):
    """Return what a sum in float32 comes to, in any order."""
    return pytest.approx(number, rel=1e-5)


def data(inputs, targets, goal):
    part = Split(inputs, targets)
    return Data(part, part, part, goal=goal)


def scores(child, found):
    return evaluate(child, Examples.of(found.valid, found, torch.device("cpu"))).metrics


@pytest.mark.parametrize("at_once", [4, 7, 200])
def test_the_next_token_is_scored_over_all_tokens_whatever_the_batches_are(at_once, monkeypatch):
    monkeypatch.setattr("raynas.training.examples._AT_ONCE_CPU", at_once)
    targets = IDS.copy()
    targets[:25, 2:] = PADDING
    found = data(IDS, targets, NextToken())
    child = nn.Embedding(5, 5)
    logits, wanted = child.weight[IDS].flatten(0, 1), torch.from_numpy(targets).flatten()
    nats = functional.cross_entropy(logits, wanted, ignore_index=PADDING).item()
    measured = scores(child, found)
    assert found.told == {"input_shape": (7,), "vocabulary": 5, "outputs": 5}
    assert measured["bits_per_token"] == near(nats / np.log(2))
    assert measured["loss"] == near(nats)
    assert measured["perplexity"] == near(np.exp(nats))
    right = (logits.argmax(1) == wanted)[wanted != PADDING]
    assert measured["accuracy"] == near(right.float().mean().item())


def test_tags_are_counted_and_padding_is_not_scored():
    targets = np.where(IDS == 4, PADDING, IDS)
    found = data(IDS, targets, SequenceTagging())
    assert found.told["tags"] == 4

    class Copy(nn.Module):
        def forward(self, ids):
            return functional.one_hot(ids, 5)[..., :4].float()

    assert scores(Copy(), found)["accuracy"] == 1.0


def test_the_loss_of_pixels_is_over_all_scored_ones_whatever_the_batches_are(monkeypatch):
    targets = GENERATOR.integers(0, 2, (6, 3, 3))
    targets[:4, 1:] = IGNORED
    images = GENERATOR.normal(size=(6, 2, 3, 3)).astype(np.float32)
    found = data(images, targets, Pixels(2))
    losses = []
    for at_once in (1, 4, 200):
        monkeypatch.setattr("raynas.training.examples._AT_ONCE_CPU", at_once)
        losses.append(scores(nn.Identity(), found)["loss"])
    normal = Examples.of(found.valid, found, torch.device("cpu")).some(6)[0]
    expected = functional.cross_entropy(normal, torch.from_numpy(targets), ignore_index=IGNORED)
    assert losses == near([expected.item()] * 3)


def test_segmentation_agrees_with_scikit_learn():
    images = GENERATOR.normal(size=(6, 3, 5, 4)).astype(np.float32)
    targets = GENERATOR.integers(0, 3, (6, 5, 4))
    targets[0, 0] = 255
    found = data(images, targets, Pixels())
    child = nn.Conv2d(3, 3, 1)
    examples = Examples.of(found.valid, found, torch.device("cpu"))
    guess = child(examples.normalised(examples.inputs)).argmax(1).numpy()
    scored = targets != 255
    expected = jaccard_score(targets[scored], guess[scored], average="macro")
    measured = scores(child, found)
    assert measured["miou"] == pytest.approx(expected)
    assert measured["accuracy"] == pytest.approx((guess == targets)[scored].mean())


def test_ctc_finds_a_text_that_the_path_spells():
    path = [0, 1, 1, 0, 1, 2, 2, 0]
    targets = np.array([[1, 1, 2, 0]])
    logits = 20.0 * functional.one_hot(torch.tensor([path]), 3).float()
    goal, _ = CTC().fitted([targets])
    assert goal.brief == {"symbols": 2, "outputs": 3}
    metric = goal.metrics()["error_rate"]
    metric.update(logits, torch.from_numpy(targets))
    assert metric.compute() == 0.0
    assert goal.loss(logits, torch.from_numpy(targets)).item() < 0.01
    cut = {"logits": logits, "lengths": torch.tensor([4])}
    metric.update(cut, torch.from_numpy(targets))
    assert metric.compute() == pytest.approx(2 / 6)


@given(st.lists(st.integers(1, 3), max_size=6), st.lists(st.integers(1, 3), max_size=6))
def test_the_edit_distance_is_a_distance(one, two):
    distance = edit_distance(one, two)
    assert distance == edit_distance(two, one)
    assert (distance == 0) == (one == two)
    assert abs(len(one) - len(two)) <= distance <= max(len(one), len(two))


@given(st.lists(st.integers(1, 3), max_size=6))
def test_a_text_with_blanks_between_collapses_to_itself(text):
    path = [symbol for one in text for symbol in (one, one, 0)]
    assert collapsed(path) == text


BAD = {
    "shape": (NextToken(), IDS[:, 0], r"\[examples, length\]: got"),
    "real": (SequenceTagging(), np.float32(IDS) / 2, r"\[examples, length\]: got"),
    "large": (NextToken(vocabulary=3), IDS, r"from 0 to 2, .*: got [34] in row"),
    "pixels": (Pixels(), IDS, r"\[examples, height, width\]: got"),
    "classes": (Pixels(classes=2), IDS[:, None], "below classes=2: got 4"),
}


@pytest.mark.parametrize(("goal", "targets", "says"), BAD.values(), ids=BAD)
def test_targets_of_another_kind_are_refused(goal, targets, says):
    with pytest.raises(DataError, match=says):
        data(np.zeros((30, 2), np.float32), targets, goal)


OUTPUTS = {
    "next token": (NextToken(5), torch.zeros(2, 3, 4), torch.zeros(2, 3, dtype=torch.int64)),
    "pixels": (Pixels(2), torch.zeros(2, 3, 4, 4), torch.zeros(2, 4, 4, dtype=torch.int64)),
    "ctc": (CTC(2), torch.zeros(2, 9, 2), torch.ones(2, 4, dtype=torch.int64)),
}


@pytest.mark.parametrize(("goal", "outputs", "targets"), OUTPUTS.values(), ids=OUTPUTS)
def test_outputs_of_another_shape_name_both_shapes(goal, outputs, targets):
    assert isinstance(goal, Goal)
    shape = str(tuple(outputs.shape)).replace("(", r"\(").replace(")", r"\)")
    with pytest.raises(SpaceError, match=rf"\(2, .*: got {shape}"):
        goal.loss(outputs, targets)
