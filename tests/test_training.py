"""The training loop: what it computes, that it repeats itself bit for bit, and how it fails."""

import io
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, log_loss
from torch import nn

from raynas.data import Data, Split
from raynas.errors import ConfigError, SpaceError, TrialError
from raynas.goals import Classification
from raynas.rng import seed_weights
from raynas.space import Architecture
from raynas.tasks import TASKS, Source
from raynas.training.examples import Examples, augmented, cut_out
from raynas.training.memory import memory_fails
from raynas.training.recipe import Recipe
from raynas.training.scores import evaluate
from raynas.training.train import Training
from search_spaces import nasbench201

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


def small_net(seed, dropout=0.0):
    seed_weights(seed)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, stride=2, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Flatten(),
        nn.Linear(128, 10),
    )


def table(rows=50, seed=0):
    rng = np.random.default_rng(seed)
    known = Split.of(rng.normal(3, 2, (rows, 5)), rng.integers(0, 3, rows))
    return Data.split(known, seed=0)


def images(count, *, channels=3, height=6, width=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shape = (count, channels, height, width)
    return torch.randint(1, 256, shape, generator=generator, dtype=torch.uint8)


def generator():
    return torch.Generator().manual_seed(0)


# --- what it computes ---------------------------------------------------------------------------


def test_it_is_the_gradient_descent_that_it_claims_to_be():
    """In one step per epoch, without noise, it must follow a loop written down in full."""
    data = table()
    recipe = Recipe(
        batch_size=1000, lr=0.2, warmup=0.0, weight_decay=0.01, label_smoothing=0.2, grad_clip=0.5
    )
    net = nn.Linear(5, 3).double()
    weight, bias = (p.detach().clone() for p in net.parameters())
    training = Training(net.float(), Examples.of(data.train, data, CPU), recipe, epochs=6, seed=0)
    for _ in range(6):
        training.step()

    inputs = (data.train.inputs - np.float64(data.norm.mean)) / np.float64(data.norm.std)
    inputs = torch.tensor(inputs)
    target = nn.functional.one_hot(torch.tensor(data.train.targets), 3) * 0.8 + 0.2 / 3
    params, velocity = [weight, bias], [torch.zeros_like(weight), torch.zeros_like(bias)]
    for epoch in range(6):
        for p in params:
            p.requires_grad_()
        logits = inputs @ params[0].T + params[1]
        loss = -(target * logits.log_softmax(1)).sum(1).mean()
        grads = torch.autograd.grad(loss, params)
        norm = torch.cat([g.flatten() for g in grads]).norm()
        lr = 0.2 * 0.5 * (1 + np.cos(np.pi * (epoch + 0.5) / 6))
        with torch.no_grad():
            for i, (p, g) in enumerate(zip(params, grads, strict=True)):
                pull = g * min(1.0, 0.5 / norm) + 0.01 * p
                velocity[i] = 0.9 * velocity[i] + pull
                params[i] = p - lr * (pull + 0.9 * velocity[i])
    for ours, theirs in zip(training.child.parameters(), params, strict=True):
        torch.testing.assert_close(ours.double(), theirs, rtol=1e-4, atol=1e-5)


def test_scores_are_those_of_scikit_learn(digits):
    child = small_net(0)
    examples = Examples.of(digits.valid, digits, CPU)
    scores = evaluate(child, examples)
    (mean,), (std,) = digits.norm.mean, digits.norm.std
    inputs = (digits.valid.inputs - np.float32(mean)) / np.float32(std)
    with torch.no_grad():
        chances = child.eval()(torch.tensor(inputs)).softmax(1).numpy()
    labels = digits.valid.targets
    assert scores.metrics["loss"] == pytest.approx(log_loss(labels, chances), rel=1e-5)
    assert scores.metrics["accuracy"] == accuracy_score(labels, chances.argmax(1))
    losses = -np.log(chances[range(len(labels)), labels])
    assert scores.errors["loss"] == pytest.approx(losses.std() / len(labels) ** 0.5, rel=1e-4)
    wrong = 1 - scores.metrics["accuracy"]
    plain = math.sqrt(wrong * (1 - wrong) / len(labels))
    assert scores.errors["accuracy"] == pytest.approx(plain, rel=0.05)


def test_scoring_changes_nothing(digits):
    child = small_net(0)
    before = {name: value.clone() for name, value in child.state_dict().items()}
    evaluate(child, Examples.of(digits.valid, digits, CPU))
    after = child.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert all(p.grad is None for p in child.parameters())


def test_nine_epochs_are_enough_for_digits(digits):
    recipe = Recipe().with_overrides(TASKS["digits"]().recipe)
    cell = nasbench201.from_string(
        "|nor_conv_3x3~0|+|skip_connect~0|nor_conv_1x1~1|+|none~0|avg_pool_3x3~1|nor_conv_3x3~2|"
    )
    seed_weights(0)
    child = nasbench201.build(cell, digits.input_shape, digits.classes, channels=16, cells=1)
    train, valid = (Examples.of(split, digits, CPU) for split in (digits.train, digits.valid))
    training = Training(child, train, recipe, epochs=9, seed=0, valid=valid)
    epochs = [training.step() for _ in range(9)]
    assert [epoch.epoch for epoch in epochs] == list(range(1, 10))
    assert epochs[-1].metrics["val_accuracy"] >= 0.97
    assert epochs[-1].metrics["train_loss"] < epochs[0].metrics["train_loss"]
    assert all(epoch.seconds > 0 for epoch in epochs)


# --- batches and augmentation -------------------------------------------------------------------


@given(count=st.integers(1, 3000), batch_size=st.integers(2, 300))
def test_steps_are_of_equal_size_and_never_of_one_example(count, batch_size):
    zeros = torch.zeros(count, 1)
    examples = Examples(zeros, zeros[:, 0].long(), Classification(1), (None,))
    sizes = {len(part) for part in zeros.tensor_split(examples.steps(batch_size))}
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) <= max(batch_size, 3)
    assert min(sizes) >= min(2, count)


def test_an_epoch_sees_every_example_once():
    seen = []

    class Watching(nn.Linear):
        def forward(self, x):
            seen.append(x.detach()[:, 0].clone())
            return super().forward(x)

    rows = np.arange(101, dtype=np.float32)[:, None]
    whole = Split(rows, np.arange(101) % 2)
    data = Data(whole, whole, whole, norm=False)
    training = Training(
        Watching(1, 2), Examples.of(whole, data, CPU), Recipe(batch_size=25), epochs=2, seed=0
    )
    orders = []
    for _ in range(2):
        seen.clear()
        training.step()
        assert [len(part) for part in seen] == [21, 20, 20, 20, 20]
        orders.append(torch.cat(seen))
        assert orders[-1].sort().values.tolist() == list(range(101))
    assert not torch.equal(*orders)


def test_a_crop_is_a_window_of_the_padded_image():
    given = images(400)
    cropped = augmented(given, Recipe(crop=2), generator())
    assert cropped.shape == given.shape
    padded = np.pad(given.numpy(), ((0, 0), (0, 0), (2, 2), (2, 2)))
    offsets = []
    for image, result in zip(padded, cropped.numpy(), strict=True):
        fits = [
            (top, left)
            for top in range(5)
            for left in range(5)
            if np.array_equal(image[:, top : top + 6, left : left + 5], result)
        ]
        assert len(fits) == 1
        offsets += fits
    assert len(set(offsets)) == 25
    assert max(offsets.count(offset) for offset in set(offsets)) < 40  # 16 of each on average


def test_a_flip_mirrors_about_half_of_the_images():
    given = images(400)
    flipped = augmented(given, Recipe(flip=True), generator())
    mirrored = [torch.equal(a.flip(-1), b) for a, b in zip(given, flipped, strict=True)]
    kept = [torch.equal(a, b) for a, b in zip(given, flipped, strict=True)]
    assert all(a != b for a, b in zip(mirrored, kept, strict=True))
    assert 160 < sum(mirrored) < 240


@pytest.mark.parametrize("side", [1, 2, 3, 20])
def test_cutout_blanks_one_square_around_a_pixel_of_the_image(side):
    given = images(300).float()
    result = cut_out(given.clone(), side, generator())
    centres = set()
    for before, after in zip(given.numpy(), result.numpy(), strict=True):
        blank = (after == 0).all(0)
        assert np.array_equal(after, np.where(blank, 0, before))
        squares = {
            (y, x) for y in range(6) for x in range(5) if np.array_equal(blank, square(y, x, side))
        }
        assert squares
        centres |= squares
    assert len(centres) == 30


def square(y, x, side):
    blank = np.zeros((6, 5), bool)
    top, left = y - side // 2, x - side // 2
    blank[max(top, 0) : top + side, max(left, 0) : left + side] = True
    return blank


def test_without_augmentation_images_stay_as_they_are():
    given = images(10)
    assert augmented(given, Recipe(), generator()) is given


# --- the same again -----------------------------------------------------------------------------

BUSY = Recipe(batch_size=200, crop=1, flip=True, cutout=2, grad_clip=1.0)


def history(training, valid, epochs):
    training.valid = valid
    return [dict(training.step().metrics) for _ in range(epochs)]


def begun(digits, *, seed, weights=5, recipe=BUSY):
    child = small_net(weights, dropout=0.2)
    return Training(child, Examples.of(digits.train, digits, CPU), recipe, epochs=4, seed=seed)


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others(digits):
    valid = Examples.of(digits.valid, digits, CPU)
    first, again, other = (history(begun(digits, seed=s), valid, 4) for s in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.parametrize("stop", [0, 1, 3])
def test_training_continues_from_a_file_as_if_never_interrupted(digits, stop):
    valid = Examples.of(digits.valid, digits, CPU)
    whole = begun(digits, seed=1)
    expected = history(whole, valid, 4)

    half = begun(digits, seed=1)
    reports = history(half, valid, stop)
    file = io.BytesIO()
    torch.save(half.state(), file)
    file.seek(0)

    rest = begun(digits, seed=1, weights=99)
    torch.rand(7)  # whatever else the process draws must not matter
    rest.load_state(torch.load(file, weights_only=True))
    assert rest.epoch == stop
    assert reports + history(rest, valid, 4 - stop) == expected
    for name, value in whole.child.state_dict().items():
        assert torch.equal(value, rest.child.state_dict()[name]), name


def test_a_continued_training_keeps_its_own_recipe(digits):
    """What exploits another's weights under another learning rate needs exactly this."""
    source = begun(digits, seed=1)
    source.step()
    constant = Recipe(batch_size=200, lr=0.007, schedule="constant", warmup=0.0)
    other = begun(digits, seed=1, recipe=constant)
    other.load_state(source.state())
    assert other.step().metrics["lr"] == 0.007


def test_read_only_data_is_shared_and_left_alone(digits):
    arrays = []
    for split in (digits.train, digits.valid):
        inputs, labels = split.inputs.copy(), split.targets.copy()
        inputs.flags.writeable = labels.flags.writeable = False
        arrays.append(Split(inputs, labels))
    train, valid = (Examples.of(split, digits, CPU) for split in arrays)
    assert train.inputs.data_ptr() == arrays[0].inputs.ctypes.data
    training = Training(small_net(0), train, BUSY, epochs=2, seed=0)
    history(training, valid, 2)
    assert [split.digest for split in arrays] == [digits.train.digest, digits.valid.digest]


# --- failures -----------------------------------------------------------------------------------


def test_divergence_is_a_failed_trial(digits):
    recipe = Recipe(lr=1e30, warmup=0.0)
    training = Training(
        small_net(0), Examples.of(digits.train, digits, CPU), recipe, epochs=2, seed=0
    )
    with pytest.raises(TrialError, match=r"diverged: train_loss is (nan|inf) after epoch 1"):
        training.step()


class Hungry(nn.Linear):
    """Asks for a petabyte."""

    def forward(self, x):
        return super().forward(x) + torch.empty(1 << 50)[0]


def test_running_out_of_memory_is_a_failed_trial():
    data = table()
    examples = Examples.of(data.train, data, CPU)
    with pytest.raises(TrialError, match=r"out of memory: .*DefaultCPUAllocator"):
        Training(Hungry(5, 3), examples, Recipe(), epochs=1, seed=0).step()
    with pytest.raises(TrialError, match="out of memory"):
        evaluate(Hungry(5, 3), examples)
    with pytest.raises(TrialError, match="out of memory"), memory_fails():
        np.empty(1 << 60, np.uint8)


def test_other_errors_of_a_child_are_passed_on():
    data = table()
    wrong = nn.Linear(4, 3)  # takes four features of five
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        evaluate(wrong, Examples.of(data.train, data, CPU))


def test_a_wrong_output_shape_is_told_before_training():
    data = table()
    child = nn.Linear(5, 4)
    before = child.weight.detach().clone()
    training = Training(
        child, Examples.of(data.train, data, CPU), Recipe(batch_size=30), epochs=1, seed=0
    )
    with pytest.raises(SpaceError, match=r"one logit per class.*\(30, 3\): got \(30, 4\)"):
        training.step()
    assert torch.equal(before, child.weight)


def test_augmenting_a_table_is_refused():
    data = table()
    with pytest.raises(ConfigError, match=r"need images.*got examples \(30, 5\)"):
        Training(
            nn.Linear(5, 3), Examples.of(data.train, data, CPU), Recipe(crop=1), epochs=1, seed=0
        )


def test_searched_fields_override_the_recipe():
    architecture = Architecture({"cell": "a", "training.lr": 0.3, "training.batch_size": 32})
    recipe = Recipe(flip=True).with_overrides(architecture.under("training"))
    assert recipe == Recipe(flip=True, lr=0.3, batch_size=32)


# --- GPU ----------------------------------------------------------------------------------------


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_learns_the_same(digits):
    device = torch.device("cuda")
    train, valid = (Examples.of(split, digits, device) for split in (digits.train, digits.valid))
    training = Training(small_net(0), train, Recipe(batch_size=64), epochs=12, seed=0)
    epochs = history(training, valid, 12)
    assert epochs[-1]["val_accuracy"] > 0.9
    cpu = evaluate(training.child.cpu(), Examples.of(digits.valid, digits, CPU))
    assert epochs[-1]["val_loss"] == pytest.approx(cpu.metrics["loss"], rel=0.05)
