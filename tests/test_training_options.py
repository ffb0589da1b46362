"""Options of the training recipe: each does what it says, and continues bit for bit."""

import copy
import io
import math

import children
import numpy as np
import pytest
import torch
from torch import nn

from raynas.data import Data, Split
from raynas.errors import ConfigError
from raynas.goals import Classification
from raynas.rng import seed_weights
from raynas.space import Architecture
from raynas.tasks import TASKS, Source
from raynas.training.averaged import Averaged
from raynas.training.child import built
from raynas.training.ema import Ema
from raynas.training.examples import Examples
from raynas.training.loading import batches_of
from raynas.training.recipe import Recipe
from raynas.training.scores import evaluate, scored
from raynas.training.train import Training

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def digits():
    return TASKS["digits"]().load(Source(), seed=0)


def net(seed=0, dropout=0.0, width=8):
    seed_weights(seed)
    return nn.Sequential(
        nn.Conv2d(1, width, 3, stride=2, padding=1),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Flatten(),
        nn.Linear(16 * width, 10),
    )


def training(digits, child=None, epochs=4, **fields):
    recipe = Recipe().with_overrides({"batch_size": 256, **fields})
    train, valid = (Examples.of(part, digits, CPU) for part in (digits.train, digits.valid))
    return Training(child or net(dropout=0.2), train, recipe, epochs=epochs, seed=1, valid=valid)


def stored(state):
    """Return a state as it is in a checkpoint."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


OPTIONS = {
    "adamw": {"optimizer": "adamw"},
    "lion": {"optimizer": "lion", "lr": 0.01},
    "a class of torch": {"optimizer": "RMSprop", "optimizer_options": {"momentum": 0.5}},
    "bare norms": {"decay_norms": False},
    "accumulated": {"accumulate": 3},
    "averaged": {"ema": 0.9},
    "all of that": {"ema": 0.99, "accumulate": 2, "optimizer": "adamw", "lr": 0.02},
    "mixup": {"mixup": 0.4},
    "cutmix": {"cutmix": 1.0},
    "both mixed": {"mixup": 0.4, "cutmix": 1.0},
    "randaugment": {"randaugment": 2},
    "bfloat16": {"precision": "bfloat16"},
    "patient": {"patience": 1, "lr": 3.0},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_training_continues_as_if_never_interrupted(digits, options):
    whole = training(digits, **options)
    expected = [whole.step() for _ in range(4)]
    for stop in (1, 3):
        begun = training(digits, **options)
        for _ in range(stop):
            begun.step()
        resumed = training(digits, child=net(seed=9, dropout=0.2), **options)
        resumed.load_state(stored(begun.state()))
        for epoch in expected[stop:]:
            assert resumed.step().metrics == epoch.metrics
        for name, tensor in resumed.child.state_dict().items():
            assert torch.equal(tensor, whole.child.state_dict()[name])


@pytest.mark.parametrize("name", sorted(OPTIONS.keys() - {"patient"}))
def test_each_option_changes_something_and_still_learns(digits, name):
    plain, other = training(digits), training(digits, **OPTIONS[name])
    assert plain.step().metrics["val_loss"] != other.step().metrics["val_loss"]
    while other.epoch < 4:
        last = other.step()
    assert last.metrics["val_accuracy"] > 0.3


# --- accumulation --------------------------------------------------------------------------------


def table(rows, seed=0):
    rng = np.random.default_rng(seed)
    return Data.split(Split.of(rng.normal(3, 2, (rows, 5)), rng.integers(0, 3, rows)), seed=0)


@pytest.mark.parametrize("clip", [0.0, 0.1])
def test_small_batches_add_up_to_a_large_one(clip):
    """Also with batches of unequal size, and where the last step of an epoch has fewer."""
    data = table(175)  # 105 for training
    examples = Examples.of(data.train, data, CPU)
    weights = []
    for batch_size, accumulate in ((1000, 1), (20, 6), (20, 100)):
        seed_weights(0)
        recipe = Recipe(batch_size=batch_size, accumulate=accumulate, grad_clip=clip)
        one = Training(nn.Linear(5, 3).double(), doubled(examples), recipe, epochs=3, seed=0)
        losses = [one.step().metrics for _ in range(3)]
        weights.append((losses, one.child.weight.detach()))
    for losses, weight in weights[1:]:
        torch.testing.assert_close(weight, weights[0][1])
        assert [one["lr"] for one in losses] == [one["lr"] for one in weights[0][0]]


def doubled(examples):
    """Return examples whose batches are in double precision."""
    return Examples(examples.inputs.double(), examples.targets, examples.goal, examples.norms)


def test_the_rate_is_that_of_steps_not_of_batches(digits):
    rates = training(digits, accumulate=2, epochs=1, warmup=0.0, schedule="linear")
    steps = rates.examples.steps(256)
    assert rates.step().metrics["lr"] == pytest.approx(0.1 * 0.5 / math.ceil(steps / 2))


# --- moving average ------------------------------------------------------------------------------


def test_the_average_is_that_of_torch_after_the_first_steps():
    """From step 80 on, a decay of 0.9 is below the bound of early steps."""
    ours, theirs = net(), net()
    average = Ema(ours, 0.9)
    average._steps = 80
    decay = torch.optim.swa_utils.get_ema_multi_avg_fn(0.9)
    swa = torch.optim.swa_utils.AveragedModel(theirs, multi_avg_fn=decay, use_buffers=True)
    swa.update_parameters(theirs)  # copies
    for at in range(4):
        inputs = torch.randn(8, 1, 8, 8, generator=torch.Generator().manual_seed(at))
        with average.training():
            for child in (ours, theirs):
                child(inputs).sum().backward()
                with torch.no_grad():
                    for parameter in child.parameters():
                        parameter.sub_(parameter.grad, alpha=0.01)
                        parameter.grad = None
            average.update()
        swa.update_parameters(theirs)
    for name, tensor in swa.module.state_dict().items():
        if tensor.is_floating_point():
            torch.testing.assert_close(ours.state_dict()[name], tensor)


def test_the_decay_grows_in_the_first_steps():
    child = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(child.weight)
    average = Ema(child, 0.5)
    expected = 0.0
    for at, decay in enumerate((0.1, 2 / 11, 3 / 12, 4 / 13)):
        with average.training():
            nn.init.constant_(child.weight, at + 1.0)
            average.update()
        expected = decay * expected + (1 - decay) * (at + 1.0)
        assert child.weight.item() == pytest.approx(expected)


def test_what_is_infinite_has_no_average():
    child = nn.Linear(1, 1)
    child.register_buffer("mask", torch.tensor([0.0, -math.inf]))
    average = Ema(child, 0.5)
    with average.training():
        nn.init.constant_(child.weight, 1.0)
        average.update()
    assert child.mask.tolist() == [0.0, -math.inf]
    assert child.weight.isfinite().all()


def test_the_average_is_what_others_see(digits):
    plain, averaged = training(digits), training(digits, ema=0.99)
    for _ in range(2):
        plain.step()
        last = averaged.step()
    weight = averaged.child[0].weight.detach().clone()
    assert not torch.equal(weight, plain.child[0].weight)
    with averaged._ema.training():  # it is trained as without
        assert torch.equal(averaged.child[0].weight, plain.child[0].weight)
    assert torch.equal(averaged.state()["child"]["0.weight"], weight)
    scores = evaluate(averaged.child, averaged.valid).metrics
    assert scores["loss"] == last.metrics["val_loss"]
    heir = training(digits, child=net(seed=3, width=12), ema=0.99)
    heir.inherit(stored(averaged.state()))
    assert torch.equal(heir.child[0].weight[:8], weight)
    with heir._ema.training():
        assert torch.equal(heir.child[0].weight[:8], weight)


@pytest.mark.parametrize("kind", sorted(children.KINDS.keys() - {"a compiled script"}))
def test_every_network_can_be_averaged(digits, kind):
    def begun(seed):
        seed_weights(seed)
        make, inputs = (lambda _: children.KINDS[kind](10)), (lambda: torch.zeros(2, 1, 8, 8))
        child = built(make, Architecture({}), inputs)
        return training(digits, child=child, ema=0.9, lr=0.01, epochs=2)

    whole, stopped, resumed = begun(0), begun(0), begun(1)
    whole.step()
    stopped.step()
    resumed.load_state(in_memory(stopped.state()))
    assert resumed._fit() == whole._fit()
    for one, other in zip(tensors(resumed.child), tensors(whole.child), strict=True):
        assert torch.equal(one, other)


def in_memory(state):
    """Return a state as it is in a checkpoint, which may hold what is no tensor."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


def tensors(child):
    return [*child.parameters(), *child.buffers()]


# --- early stopping ------------------------------------------------------------------------------


LOSSES = (3.0, 1.0, 2.0, 1.5, 0.5, 0.4)


def scripted(digits, monkeypatch, patience):
    one = training(digits, epochs=6, patience=patience)
    seen = []

    def changed(child, step, examples):
        scores = scored(child, step, examples)
        seen.append(copy.deepcopy(child.state_dict()))
        loss = LOSSES[len(seen) - 1]
        return type(scores)({**scores.metrics, "loss": loss}, scores.errors)

    monkeypatch.setattr("raynas.training.train.scored", changed)
    return [one.step() for _ in range(6)], one, seen


def test_a_training_that_does_not_improve_ends_with_its_best_epoch(digits, monkeypatch):
    epochs, one, seen = scripted(digits, monkeypatch, patience=2)
    assert len(seen) == 4
    assert [epoch.epoch for epoch in epochs] == [1, 2, 3, 4, 5, 6]
    assert [epoch.metrics["val_loss"] for epoch in epochs] == [3.0, 1.0, 2.0, 1.0, 1.0, 1.0]
    assert all("ended_after" not in epoch.metrics for epoch in epochs[:3])
    for epoch in epochs[3:]:
        assert (epoch.metrics["ended_after"], epoch.metrics["best_epoch"]) == (4, 2)
        assert epoch.metrics["val_accuracy"] == epochs[1].metrics["val_accuracy"]
        assert epoch.errors == epochs[1].errors
    for name, tensor in one.child.state_dict().items():
        assert torch.equal(tensor, seen[1][name])


def test_with_more_patience_it_goes_on(digits, monkeypatch):
    epochs, one, seen = scripted(digits, monkeypatch, patience=3)
    assert [epoch.metrics["val_loss"] for epoch in epochs] == [3.0, 1.0, 2.0, 1.5, 0.5, 0.4]
    for name, tensor in one.child.state_dict().items():
        assert torch.equal(tensor, seen[5][name])


def test_folds_that_end_at_different_epochs_have_a_mean(digits, monkeypatch):
    ones = [training(digits, epochs=6, patience=2) for _ in range(2)]
    losses = iter([3.0, 3.0, 4.0, 2.0, 4.0, 1.0, 9.0, 9.0])

    def changed(child, step, examples):
        scores = scored(child, step, examples)
        return type(scores)({**scores.metrics, "loss": next(losses)}, scores.errors)

    monkeypatch.setattr("raynas.training.train.scored", changed)
    both = Averaged(ones, 2)
    epochs = [both.step() for _ in range(3)]  # the first ends after 3 epochs
    assert [epoch.metrics["val_loss"] for epoch in epochs] == [3.0, 3.0, 2.0]
    assert "best_epoch" not in epochs[2].metrics


# --- precision, compilation, and what cannot be --------------------------------------------------


def test_bfloat16_is_only_where_it_is_asked_for(digits):
    seen = []

    class Watching(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(64, 10)

        def forward(self, inputs):
            logits = self.inner(inputs.flatten(1))
            seen.append(logits.dtype)
            return logits

    for precision, expected in (("auto", torch.float32), ("bfloat16", torch.bfloat16)):
        seen.clear()
        one = training(digits, child=Watching(), precision=precision)
        one.step()
        assert {*seen} == {expected}
        assert one.child.inner.weight.dtype == torch.float32


@pytest.mark.slow
def test_a_compiled_network_learns_the_same(digits):
    losses = [
        training(digits, child=net(), compile=compiles).step().metrics["val_loss"]
        for compiles in (False, True)
    ]
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)


def test_an_iterable_of_unknown_length_has_a_rate():
    class Stream:
        def __iter__(self):
            rng = np.random.default_rng(0)
            for _ in range(50):
                yield rng.normal(size=5).astype(np.float32), int(rng.integers(3))

    data = Data(Stream(), Stream(), Stream(), goal=Classification(classes=3))
    batches = batches_of(data.train, data, CPU, 10)
    one = Training(nn.Linear(5, 3), batches, Recipe(warmup=0.0), epochs=2, seed=0)
    rates = [one.step().metrics["lr"] for _ in range(2)]
    assert rates == pytest.approx([Recipe(warmup=0.0).lr_at(at) for at in (0.25, 0.75)])


@pytest.mark.parametrize("options", [{"mixup": 0.2}, {"cutmix": 1.0}, {"randaugment": 1}])
def test_mixing_a_table_is_refused(options):
    data = table(50)
    name = next(iter(options))
    with pytest.raises(ConfigError, match=rf"{name} need images.*got examples \(30, 5\)"):
        Training(
            nn.Linear(5, 3),
            Examples.of(data.train, data, CPU),
            Recipe(**options),
            epochs=1,
            seed=0,
        )
