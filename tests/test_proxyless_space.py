"""The space of ProxylessNAS: its published networks, and blocks that are left out."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from raynas.costs import measure
from raynas.errors import ConfigError, SpaceError
from raynas.experiment.resolve.references import find_space
from raynas.oneshot.methods.fairnas import FairNAS
from raynas.oneshot.mixed import MixedSupernet
from raynas.oneshot.relaxation import plain
from search_spaces import mobile
from search_spaces.mobile import Stage, from_stages
from search_spaces.mobile.proxyless import OPTIONS, PUBLISHED, SIZES, SKIP, SPACE, build, draw

IMAGE = {"input_shape": (1, 8, 8), "outputs": 5, "width": 0.1, "dropout": 0.0}
SEEDS = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("ProxylessNAS-Mobile", 4_080_512),
        ("ProxylessNAS-CPU", 4_361_648),
        ("ProxylessNAS-GPU", 7_119_848),
    ],
)
def test_published_networks_have_the_parameters_of_the_authors(name, params):
    """The numbers of parameters are those of their pretrained models in ``pytorchcv``."""
    network = build(PUBLISHED[name], input_shape=(3, 224, 224), outputs=1000, **SIZES[name])
    assert measure(network, None).params == params


@settings(max_examples=15, deadline=None)
@given(SEEDS)
def test_it_does_not_matter_which_blocks_of_a_stage_are_left_out(seed):
    """Given the same weights, the networks compute the same."""
    rng = np.random.default_rng(seed)
    one = SPACE.sample(rng)
    moved = dict(one)
    for number in range(1, 6):
        paths = [f"stage{number}.block{at}" for at in range(2, 5)]
        there = [one[path] for path in paths if one[path] != SKIP]
        places = sorted(rng.choice(3, len(there), replace=False))
        moved |= dict.fromkeys(paths, SKIP)
        moved |= {paths[at]: option for at, option in zip(places, there, strict=True)}
    other = SPACE.architecture(moved)
    assert SPACE.identity(other) == SPACE.identity(one)
    assert draw(other) == draw(one)
    mine, theirs = build(one, **IMAGE).eval(), build(other, **IMAGE).eval()
    weights = theirs.state_dict().values()
    mine.load_state_dict(dict(zip(mine.state_dict(), weights, strict=True)))
    images = torch.randn(2, 1, 8, 8)
    with torch.no_grad():
        assert torch.equal(mine(images), theirs(images))


def test_a_network_is_one_of_the_mobile_space_if_that_has_the_decisions():
    """Against that space's own code, which knows no skips."""
    chosen = SPACE.architecture(
        {path: "e3k5" if path.endswith("1") else "e6k7" for path in SPACE.decisions}
    )
    blocks = (OPTIONS["e3k5"], *[OPTIONS["e6k7"]] * 3)
    widths = (24, 40, 80, 96, 192, 320)
    theirs = from_stages(
        "ReLU6", tuple(Stage(w, 0.0, blocks if w < 320 else blocks[:1]) for w in widths)
    )
    mine = build(chosen, **IMAGE)
    same = mobile.build(theirs, (1, 8, 8), 5, width=0.1, dropout=0.0)
    assert [*mine.state_dict()] == [*same.state_dict()]
    same.load_state_dict(mine.state_dict())
    images = torch.randn(3, 1, 8, 8)
    with torch.no_grad():
        assert torch.equal(mine.eval()(images), same.eval()(images))
    assert mobile.SPACE.graph(theirs) == SPACE.graph(chosen)


def test_the_size_of_the_space():
    assert SPACE.size == 6**6 * 7**15


def test_only_blocks_that_keep_the_shape_can_be_left_out():
    first = dict(PUBLISHED["ProxylessNAS-GPU"]) | {"stage2.block1": SKIP}
    with pytest.raises(SpaceError, match=r"stage2\.block1 must be one of"):
        SPACE.architecture(first)


def test_fairnas_refuses_the_space_and_names_two_decisions():
    supernet = MixedSupernet(lambda one: build(one, **IMAGE), SPACE, plain(SPACE))
    with pytest.raises(SpaceError, match=r"stage1\.block1 has 6, stage1\.block2 has 7"):
        FairNAS().check(supernet, None)


def test_wrong_widths_are_refused():
    with pytest.raises(ConfigError, match="six widths"):
        build(PUBLISHED["ProxylessNAS-CPU"], **IMAGE, widths=(16, 24))


def test_the_space_is_found_by_its_name():
    assert find_space("search_spaces.mobile.proxyless", {"width": 0.5}).space is SPACE
