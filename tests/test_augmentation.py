"""Mixed images and RandAugment, against by-hand computations and torchvision."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as v2

from raynas.data import Data, Split
from raynas.errors import ConfigError
from raynas.goals import Classification, MultiLabel, Regression
from raynas.tasks import TASKS, Source
from raynas.training.examples import Examples
from raynas.training.loading import batches_of
from raynas.training.mixing import Mixed, cut_mixed, mixed
from raynas.training.randaugment import OPERATIONS, randomly_changed
from raynas.training.recipe import Recipe
from raynas.training.step import loss_of

CPU = torch.device("cpu")


def images(count=16, channels=3, height=12, width=10, seed=0):
    """Return images of bytes, as numbers from 0 to 1."""
    generator = torch.Generator().manual_seed(seed)
    shape = (count, channels, height, width)
    return torch.randint(0, 256, shape, generator=generator) / 255.0


def mixtures(count, rounds=1, **fields):
    """Return batches before and after they are mixed; each image has its number as its target."""
    before = [(images(count, seed=at), torch.arange(count)) for at in range(rounds)]
    return zip(
        before, mixed(iter(before), Recipe(**fields), np.random.default_rng(0)), strict=True
    )


# --- mixup and CutMix ----------------------------------------------------------------------------


def test_mixup_adds_the_images_of_the_targets_that_it_says():
    for (old, _), (new, targets) in mixtures(6, rounds=5, mixup=1.0):
        assert isinstance(targets, Mixed)
        assert (targets.targets != targets.others).all()
        share = targets.share
        expected = share * old[targets.targets] + (1 - share) * old[targets.others]
        torch.testing.assert_close(new, expected)


def test_the_shares_of_mixup_have_the_distribution_of_its_paper():
    shares = [float(targets.share) for _, (_, targets) in mixtures(2, rounds=2000, mixup=0.4)]
    assert np.mean(shares) == pytest.approx(0.5, abs=0.03)
    assert np.var(shares) == pytest.approx(1 / (4 * (2 * 0.4 + 1)), rel=0.1)  # of Beta(0.4, 0.4)


def test_cutmix_takes_a_box_of_the_other_image_and_counts_its_pixels():
    areas = set()
    for (old, _), (new, targets) in mixtures(6, rounds=40, cutmix=1.0):
        other = old[targets.others]
        boxed = (new == other).all(1)
        assert torch.equal(new, torch.where(boxed[:, None], other, old))
        cut = (new != old).any(1)
        for one in cut:  # each a whole box, but for pixels that are equal in both
            rows, columns = one.any(1).nonzero(), one.any(0).nonzero()
            area = (
                0 if not len(rows) else (rows[-1] - rows[0] + 1) * (columns[-1] - columns[0] + 1)
            )
            assert float(targets.share) == pytest.approx(1 - float(area) / 120)
        areas.add(round(float(targets.share), 4))
    assert len(areas) > 10
    assert 0.4 < np.mean([*areas]) < 0.9


def test_a_box_can_be_empty_or_the_whole_image():
    rng = np.random.default_rng(0)
    old = images(4)
    new, share = cut_mixed(old, 1.0, rng)
    assert torch.equal(new, old)
    assert share == 1.0
    shares = [cut_mixed(old, 0.0, rng)[1] for _ in range(200)]
    assert min(shares) < 0.2


def test_each_batch_is_mixed_by_one_of_both():
    linear = 0
    for (old, _), (new, targets) in mixtures(4, rounds=200, mixup=1.0, cutmix=1.0):
        mixture = targets.share * old + (1 - targets.share) * old[targets.others]
        linear += torch.allclose(new, mixture, atol=1e-5)
    assert 70 < linear < 130


def test_the_loss_is_the_mean_of_both_losses():
    logits = torch.randn(5, 3, requires_grad=True)
    ours, theirs = torch.tensor([0, 1, 2, 0, 1]), torch.tensor([2, 2, 0, 1, 1])
    goal = Classification(classes=3).for_training(0.1)
    found = loss_of(goal, logits, Mixed(ours, theirs, torch.tensor(0.3)))
    soft = 0.3 * nn.functional.one_hot(ours, 3) + 0.7 * nn.functional.one_hot(theirs, 3)
    expected = cross_entropy(logits, 0.9 * soft + 0.1 / 3)
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize(
    ("goal", "targets"),
    [(MultiLabel(labels=3), torch.ones(5, 3)), (Regression(mean=(0.0,), std=(1.0,)), None)],
)
def test_any_goal_can_be_mixed(goal, targets):
    outputs = torch.randn(5, 3 if targets is not None else 1, requires_grad=True)
    targets = torch.randn(5, 1) if targets is None else targets
    share = torch.tensor(0.25)
    found = loss_of(goal, outputs, Mixed(targets, 0 * targets, share))
    expected = 0.25 * goal.loss(outputs, targets) + 0.75 * goal.loss(outputs, 0 * targets)
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)


class Photos:
    def __init__(self, shape):
        self.shape = shape

    def __len__(self):
        return 8

    def __getitem__(self, at):
        return torch.full(self.shape, at / 8.0), at % 2


def test_a_data_set_of_images_can_be_mixed_but_not_changed():
    parts = [Photos((1, 4, 4))] * 3
    batches = batches_of(parts[0], Data(*parts, goal=Classification(classes=2)), CPU, 4)
    batches.check(Recipe(mixup=0.2, cutmix=1.0))
    with pytest.raises(ConfigError, match="leave flip and randaugment out"):
        batches.check(Recipe(flip=True, randaugment=1))
    vectors = [Photos((4,))] * 3
    batches = batches_of(vectors[0], Data(*vectors, goal=Classification(classes=2)), CPU, 4)
    with pytest.raises(ConfigError, match=r"mixup need images .* got a tensor \(2, 4\)"):
        batches.check(Recipe(mixup=0.2))


# --- RandAugment ---------------------------------------------------------------------------------

BYTES = {
    "brightness": lambda one, s: v2.adjust_brightness(one, 1 + 0.9 * s),
    "colour": lambda one, s: v2.adjust_saturation(one, 1 + 0.9 * s),
    "contrast": lambda one, s: v2.adjust_contrast(one, 1 + 0.9 * s),
    "sharpness": lambda one, s: v2.adjust_sharpness(one, 1 + 0.9 * s),
    "solarize": lambda one, s: v2.solarize(one, 1 - abs(s)),
    "auto_contrast": lambda one, _: v2.autocontrast(one),
    "equalize": lambda one, _: v2.equalize((one * 255).round().byte()) / 255.0,
    "posterize": lambda one, s: v2.posterize((one * 255).byte(), 8 - round(4 * abs(s))) / 255.0,
}


def affine(one, angle=0.0, translate=(0, 0), shear=(0.0, 0.0)):
    bilinear = InterpolationMode.BILINEAR
    return v2.affine(one, angle, [*translate], 1.0, [*shear], interpolation=bilinear)


def slope(strength):
    return math.degrees(math.atan(0.3 * strength))


MOVES = {
    "rotate": lambda one, s: affine(one, angle=-30.0 * s),
    "shear_x": lambda one, s: affine(one, shear=(slope(s), 0.0)),
    "shear_y": lambda one, s: affine(one, shear=(0.0, slope(s))),
    "translate_x": lambda one, s: affine(one, translate=(-int(s * 10 * 150 / 331), 0)),
    "translate_y": lambda one, s: affine(one, translate=(0, -int(s * 12 * 150 / 331))),
}


@pytest.mark.parametrize("strength", [-1.0, -0.3, 0.5, 1.0])
@pytest.mark.parametrize("name", (BYTES | MOVES).keys())
def test_an_operation_is_that_of_torchvision(name, strength):
    # torchvision equalises no image of less than 255 pixels, and rounds to other levels.
    large = name == "equalize"
    old = images(1, height=256, width=256) if large else images()
    new = OPERATIONS[name](old, torch.full((len(old), 1, 1, 1), strength))
    expected = (BYTES | MOVES)[name](old, strength)
    torch.testing.assert_close(new, expected, atol=0.01 if large else 2e-3, rtol=0)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_takes_any_images(name, channels):
    for old in (
        images(2, channels),
        torch.zeros(2, channels, 2, 2),
        torch.ones(1, channels, 1, 1),
    ):
        new = OPERATIONS[name](old, torch.full((len(old), 1, 1, 1), 0.7))
        assert new.shape == old.shape
        assert ((new > -1e-5) & (new < 1 + 1e-5)).all()


def test_each_image_gets_operations_of_its_own():
    same = images(1).repeat(400, 1, 1, 1)
    once = randomly_changed(same, 1, 15, np.random.default_rng(0))
    kinds = {one.numpy().tobytes() for one in once}
    assert 20 <= len(kinds) <= 27  # two signs of nine, one of the others
    twice = randomly_changed(same, 2, 15, np.random.default_rng(0))
    assert len({one.numpy().tobytes() for one in twice}) > 100


def test_a_strength_of_zero_moves_no_pixel():
    still = {"posterize", "auto_contrast", "equalize", "solarize"}
    old = images() * 0.9
    for name, operation in OPERATIONS.items():
        if name not in still:
            torch.testing.assert_close(operation(old, torch.zeros(len(old), 1, 1, 1)), old)


def test_pixels_of_any_range_are_changed_within_it():
    rng = np.random.default_rng(0)
    for pixels in (
        rng.integers(3, 17, (40, 1, 8, 8)).astype(np.uint8),
        rng.normal(size=(40, 1, 8, 8)).astype(np.float32),
    ):
        data = Data.split(Split.of(pixels, np.arange(40) % 2), seed=0)
        examples = Examples.of(data.train, data, CPU)
        recipe = Recipe(randaugment=2, magnitude=20, batch_size=8)
        (mean, scale), known = examples.norms[0], examples.inputs
        seen = [x for x, _ in examples.training(recipe, torch.Generator().manual_seed(0))]
        back = torch.cat(seen) / scale + mean
        assert back.min() >= known.min() - 1e-3
        assert back.max() <= known.max() + 1e-3
        assert not torch.isin(back.round(decimals=3), known.unique().float()).all()


def test_the_same_generator_gives_the_same_images():
    data = TASKS["digits"]().load(Source(), seed=0)
    examples = Examples.of(data.train, data, CPU)
    one, other = (
        [*examples.training(Recipe(randaugment=2), torch.Generator().manual_seed(3))]
        for _ in range(2)
    )
    for (x, _), (y, _) in zip(one, other, strict=True):
        assert torch.equal(x, y)
