import numpy as np
import pytest
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from raynas.errors import ConfigError
from search_spaces.mobile import PUBLISHED, SPACE, build, draw, from_stages, stages
from search_spaces.mobile.network import halvings, scaled

SEEDS = st.integers(0, 2**32 - 1)
SHAPES = st.sampled_from([(1, 8, 8), (3, 32, 32), (1, 28, 28), (3, 5, 9)])


def parameters(network):
    return sum(p.numel() for p in network.parameters())


def multiply_adds(network, shape):
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.eval()(torch.zeros(1, *shape))
    return counter.get_total_flops() / 2


def trains(architecture, shape):
    network = build(architecture, shape, 10, width=0.1)
    logits = network(torch.randn(2, *shape))
    assert logits.shape == (2, 10)
    logits.square().sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in network.parameters())


@settings(max_examples=15, deadline=None)
@given(seed=SEEDS, shape=SHAPES)
def test_samples_mutants_and_children_train(seed, shape):
    rng = np.random.default_rng(seed)
    one, other = SPACE.sample(rng), SPACE.sample(rng)
    for architecture in (one, SPACE.mutate(one, rng), SPACE.crossover(one, other, rng)):
        trains(architecture, shape)


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS)
def test_only_active_decisions_are_there_and_all_of_them_matter(seed):
    """Stages tell everything: the architecture can be had back from them."""
    architecture = SPACE.sample(np.random.default_rng(seed))
    again = from_stages(architecture["activation"], tuple(stages(architecture)))
    assert again == architecture
    assert SPACE.identity(again) == SPACE.identity(architecture)


@settings(max_examples=10, deadline=None)
@given(seed=SEEDS)
def test_every_mutation_changes_the_network(seed):
    rng = np.random.default_rng(seed)
    parent = SPACE.sample(rng)
    child = SPACE.mutate(parent, rng)
    assert str(build(parent, (1, 8, 8), 10)) != str(build(child, (1, 8, 8), 10))


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("MobileNetV2", torchvision.models.mobilenet_v2),
        ("MnasNet-B1", torchvision.models.mnasnet1_0),
    ],
)
def test_published_networks_are_those_of_torchvision(name, make):
    """Given the same weights, in the order of the layers, the outputs are the same."""
    torch.manual_seed(0)  # noqa: TID251 - a test of ours against weights of theirs
    theirs = make(weights=None).eval()
    ours = build(PUBLISHED[name], (3, 224, 224), 1000).eval()
    assert parameters(ours) == parameters(theirs)
    weights = theirs.state_dict().values()
    ours.load_state_dict(dict(zip(ours.state_dict(), weights, strict=True)))
    images = torch.randn(2, 3, 224, 224)
    with torch.no_grad():
        torch.testing.assert_close(ours(images), theirs(images))


@pytest.mark.parametrize(
    ("name", "millions", "million_multiply_adds"),
    [("MobileNetV2", 3.504872, 301), ("MnasNet-A1", 3.9, 312), ("MnasNet-B1", 4.383312, 315)],
)
def test_published_sizes(name, millions, million_multiply_adds):
    network = build(PUBLISHED[name], (3, 224, 224), 1000)
    digits = len(str(millions).partition(".")[2])
    assert round(parameters(network) / 1e6, digits) == millions
    assert multiply_adds(network, (3, 224, 224)) / 1e6 == pytest.approx(
        million_multiply_adds, rel=0.01
    )


@pytest.mark.parametrize(
    ("side", "last"), [(224, 7), (96, 6), (64, 4), (32, 4), (28, 7), (8, 4), (7, 7), (1, 1)]
)
def test_images_of_any_size_keep_some_pixels(side, last):
    network = build(PUBLISHED["MobileNetV2"], (1, side, side), 10, width=0.1).eval()
    with torch.no_grad():
        features = network[:-1](torch.zeros(1, 1, side, side))
    assert features.shape[2:] == (last, last)


def test_large_images_are_halved_in_the_published_places():
    assert halvings(224) == {0, 1, 2, 3, 5}
    assert halvings(32) == {2, 3, 5}


@given(st.integers(1, 400), st.floats(0.05, 3))
def test_widths_are_multiples_of_eight_and_never_much_smaller(channels, width):
    result = scaled(channels, width)
    assert result % 8 == 0
    assert 0.9 * channels * width <= result <= channels * width + 8


def test_width_one_keeps_the_widths():
    assert all(scaled(channels, 1.0) == channels for channels in range(8, 400, 8))


def test_wrong_sizes_are_refused():
    network = PUBLISHED["MobileNetV2"]
    with pytest.raises(ConfigError, match="images of shape"):
        build(network, (64,), 10)
    with pytest.raises(ConfigError, match="width=nan"):
        build(network, (1, 8, 8), 10, width=float("nan"))


def test_the_size_of_the_space():
    blocks = [sum(9**n for n in range(1, most + 1)) for most in (4, 4, 4, 4, 4, 2)]
    widths = (3, 4, 4, 4, 4, 3)
    expected = 3
    for some, width in zip(blocks, widths, strict=True):
        expected *= some * width * 4  # no squeeze, or one of three ratios
    assert SPACE.size == expected


def test_drawing():
    assert draw(PUBLISHED["MnasNet-A1"]).splitlines()[:3] == [
        "ReLU, blocks as kernel/expansion",
        "stage 1   24 wide  3/6 - 3/6",
        "stage 2   40 wide  5/3 - 5/3 - 5/3  squeeze 0.25",
    ]
