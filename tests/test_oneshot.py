"""Supernets: mixtures, single paths, shared tensors, and what cannot be shared."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare
from torch import nn

from raynas.errors import SpaceError
from raynas.oneshot import Undecided, choose
from raynas.oneshot.mixed import MixedSupernet
from raynas.oneshot.mixture import Only, PartialMixture, Weighted, shuffled
from raynas.oneshot.relaxation import plain
from raynas.oneshot.statistics import batch_statistics, recalibrate
from raynas.oneshot.store import StoredSupernet
from raynas.rng import seed_weights
from raynas.space import Architecture, Choice, Repeat, Space
from search_spaces import mlp, mobile, nasbench201, textnas

IMAGES = torch.randn(12, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def cell(architecture):
    return nasbench201.build(architecture, (1, 8, 8), 5, channels=4, cells=1)


def mixed(build=cell, space=nasbench201.SPACE, share=1):
    seed_weights(0)
    return MixedSupernet(build, space, plain(space), share)


def stored(build, space):
    seed_weights(0)
    return StoredSupernet(build, space, np.random.default_rng(0))


# Children without ``choose``, and inputs for them.
SINGLE = {
    "nasbench201": (cell, nasbench201.SPACE, IMAGES),
    "mlp": (lambda one: mlp.build(one, (1, 8, 8), 5), mlp.SPACE, IMAGES),
    "mobile": (lambda one: mobile.build(one, (1, 8, 8), 5, width=0.1), mobile.SPACE, IMAGES),
    "textnas": (
        lambda one: textnas.build(one, vocabulary=9, length=6, outputs=3, width=8),
        textnas.SPACE,
        torch.randint(1, 9, (12, 6), generator=torch.Generator().manual_seed(0)),
    ),
}


@pytest.fixture(scope="module", params=SINGLE)
def untouched(request):
    """A supernet of single paths, for copies: to make one, a hundred children are built."""
    build, space, inputs = SINGLE[request.param]
    return build, space, inputs, stored(build, space)


@pytest.fixture
def single(untouched):
    *given, supernet = untouched
    return *given, copy.deepcopy(supernet)


def test_a_single_path_is_the_lent_child(single):
    build, space, inputs, supernet = single
    rng = np.random.default_rng(1)
    memory = {one.untyped_storage().data_ptr() for one in supernet.parameters()}
    for architecture in (space.sample(rng) for _ in range(8)):
        assert supernet.serves(architecture)
        child = build(architecture)
        supernet.lend(child, architecture)
        supernet.take(architecture)
        assert {one.untyped_storage().data_ptr() for one in child.parameters()} <= memory
        torch.testing.assert_close(supernet.eval()(inputs), child.eval()(inputs))


def test_what_a_single_path_does_not_use_gets_no_gradient(single):
    build, space, inputs, supernet = single
    architecture = space.sample(np.random.default_rng(2))
    supernet.train().take(architecture)
    supernet(inputs).square().sum().backward()
    child = build(architecture)
    used = {name for name, _ in child.named_parameters()}
    shared = {
        name.replace("/", ".").removeprefix("."): one for name, one in supernet.named_parameters()
    }
    given = {name for name, one in shared.items() if one.grad is not None}
    # A child may have parameters that the outputs do not depend on.
    assert given
    assert given <= used
    for name, own in child.named_parameters():
        gradient = shared[name].grad
        if gradient is not None and gradient.shape != own.shape:
            assert int(gradient.count_nonzero()) <= own.numel()


def test_a_supernet_of_single_paths_is_the_same_after_a_restart():
    build, space, _ = SINGLE["mlp"]
    one, other = stored(build, space), stored(build, space)
    for left, right in zip(one.state_dict().items(), other.state_dict().items(), strict=True):
        assert left[0] == right[0]
        assert torch.equal(left[1], right[1])


def test_a_supernet_has_a_network_of_its_own_after_a_copy():
    build, space, inputs = SINGLE["mlp"]
    supernet = stored(build, space)
    twin = copy.deepcopy(supernet)
    twin.take(space.sample(np.random.default_rng(0)))
    twin(inputs).sum().backward()
    assert all(one.grad is None for one in supernet.parameters())


def test_an_architecture_that_cannot_be_built_is_no_path():
    def build(architecture):
        if architecture["width"] == 4:
            raise ValueError("no network of width 4")
        return nn.Sequential(nn.Flatten(), nn.Linear(64, architecture["width"]))

    supernet = stored(build, Space({"width": Choice((2, 4, 8))}))
    assert supernet(IMAGES).shape[0] == 12
    served = [one["width"] for one in supernet.space if supernet.serves(one)]
    assert served == [2, 8]


class Two(nn.Module):
    def __init__(self, architecture):
        super().__init__()
        made = nn.Linear(64, 5) if architecture["kind"] == "dense" else nn.Bilinear(64, 64, 5)
        self.layer = made


def test_a_name_that_means_two_things_is_refused_with_both():
    space = Space({"kind": Choice(("dense", "bilinear"))})
    with pytest.raises(
        SpaceError, match=r"layer\.weight must mean the same .*Linear.*Bilinear"
    ) as e:
        stored(Two, space)
    assert "kind is 'dense' there and 'bilinear' here" in str(e.value)


def dilated(architecture):
    return nn.Sequential(nn.Conv2d(1, 4, 3, dilation=architecture["dilation"]))


def test_a_convolution_of_another_dilation_is_another_thing():
    with pytest.raises(SpaceError, match=r"dilation \(1, 1\).*dilation \(2, 2\)"):
        stored(dilated, Space({"dilation": Choice((1, 2))}))


# Mixed paths.


def test_a_decided_network_has_only_its_operation():
    made = choose({"kernel": 3}, "kernel", {1: lambda: nn.Conv2d(1, 1, 1), 3: nn.Identity})
    assert isinstance(made, nn.Identity)
    with pytest.raises(SpaceError, match=r"needs the option 5 of kernel, got \[1\]"):
        choose({"kernel": 5}, "kernel", {1: nn.Identity})
    widths = {"a": lambda channels: nn.Conv2d(channels, channels, 1)}
    assert choose({"op": "a"}, "op", widths, 6).weight.shape[0] == 6


@given(st.integers(0, 2**32))
def test_a_path_of_a_mixed_supernet_is_the_lent_child(seed):
    supernet = mixed()
    architecture = nasbench201.SPACE.sample(np.random.default_rng(seed))
    child = cell(architecture)
    supernet.lend(child, architecture)
    supernet.take(architecture)
    pointers = {one.data_ptr() for one in supernet.parameters()}
    assert {one.data_ptr() for one in child.parameters()} <= pointers
    torch.testing.assert_close(supernet.eval()(IMAGES), child.eval()(IMAGES))
    supernet.train()(IMAGES).square().sum().backward()
    used = {id(one) for one in child.parameters()}
    assert all(one.grad is None for one in supernet.parameters() if id(one) not in used)


def test_the_mixture_is_the_weighted_sum():
    options = [nn.Linear(3, 3), nn.Identity(), nn.Linear(3, 3)]
    x, weights = torch.randn(2, 3), torch.tensor([0.5, 0.2, 0.3])
    expected = sum(w * one(x) for w, one in zip(weights, options, strict=True))
    torch.testing.assert_close(Weighted(weights)(options, x), expected)
    torch.testing.assert_close(Weighted(weights, (1,))(options, x), 0.2 * x)
    torch.testing.assert_close(Only(0)(options, x), options[0](x))


def test_a_partial_mixture_mixes_the_first_channels_and_shuffles():
    mixture = PartialMixture("a", [nn.Identity(), nn.Conv2d(2, 2, 1)], {"a": Only(0)}, 2)
    x = torch.arange(8.0).reshape(1, 8, 1, 1)
    assert mixture(x).flatten().tolist() == [0, 2, 4, 6, 1, 3, 5, 7]
    halving = PartialMixture("a", [nn.AvgPool2d(2)], {"a": Only(0)}, 2)
    assert halving(torch.randn(1, 8, 6, 6)).shape == (1, 8, 3, 3)
    assert sorted(shuffled(torch.arange(7.0)[None], 2)[0].tolist()) == [*range(7)]


def test_paths_are_drawn_uniformly():
    rng = np.random.default_rng(0)
    drawn = [nasbench201.SPACE.sample(rng) for _ in range(2000)]
    for path, decision in nasbench201.SPACE.decisions.items():
        counts = [sum(one[path] == value for one in drawn) for value in decision.domain.values()]
        assert chisquare(counts).pvalue > 1e-4


BRANCH = Space({"kind": Choice({"deep": {"size": Choice((1, 3))}, "flat": None})})


def branching(architecture):
    def deep():
        sizes = {
            size: lambda size=size: nn.Conv2d(1, 1, size, padding=size // 2) for size in (1, 3)
        }
        return choose(architecture, "kind.deep.size", sizes)

    return nn.Sequential(choose(architecture, "kind", {"deep": deep, "flat": nn.Identity}))


def test_decisions_below_an_option_are_mixed_in_it():
    supernet = mixed(branching, BRANCH)
    assert supernet.options == {"kind": 2, "kind.deep.size": 2}
    for architecture in BRANCH:
        child = branching(architecture)
        supernet.lend(child, architecture)
        supernet.take(architecture)
        torch.testing.assert_close(supernet(IMAGES), child(IMAGES))
    strengths = {"kind": (1.0, 0.0), "kind.deep.size": (0.0, 1.0)}
    assert dict(supernet.relaxation.derive(strengths)) == {"kind": "deep", "kind.deep.size": 3}


def misfitting(architecture):
    options = {"same": nn.Identity, "half": lambda: nn.AvgPool2d(2)}
    return choose(architecture, "pool", options)


def test_what_cannot_be_mixed_is_refused_by_the_name_of_its_decision():
    with pytest.raises(SpaceError, match="build reads the decision 'layers' itself"):
        mixed(SINGLE["mlp"][0], mlp.SPACE)
    space = Space({"pool": Choice(("same", "half"))})
    with pytest.raises(
        SpaceError, match=r"decision 'pool', .*\(12, 1, 8, 8\) and \(12, 1, 4, 4\)"
    ):
        mixed(misfitting, space)(IMAGES)
    more = Space({"pool": Choice(("same", "half")), "never": Choice((1, 2))})
    with pytest.raises(SpaceError, match="build never asks for the decision 'never'"):
        mixed(misfitting, more)
    with pytest.raises(SpaceError, match=r"options \['third'\] of pool"):
        mixed(misfitting, Space({"pool": Choice(("same", "third"))}))
    with pytest.raises(SpaceError, match="no decision 'pool'"):
        mixed(misfitting, Space({"pol": Choice(("same", "half"))}))


def test_a_decision_with_one_option_can_be_read():
    undecided = Undecided(
        Space({"only": Choice(("a",)), "more": Repeat({"x": Choice((1,))}, 2, 2)})
    )
    assert undecided["only"] == "a"
    assert undecided["more"] == 2
    assert undecided.get("nothing") is None
    assert not undecided.unasked


# Statistics of normalisations.


def test_recalibrated_statistics_are_those_of_the_child_alone():
    architecture = nasbench201.from_string(
        "|nor_conv_3x3~0|+|skip_connect~0|nor_conv_1x1~1|+|skip_connect~0|none~1|avg_pool_3x3~2|"
    )
    supernet, child = mixed(), cell(architecture)
    supernet.lend(child, architecture)
    child = copy.deepcopy(child)  # statistics of its own
    batches = [(IMAGES[:6], None), (IMAGES[6:], None)]
    supernet.take(architecture)
    recalibrate(supernet.active, batches)
    for layer in child.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.reset_running_stats()
            layer.momentum = None
    with torch.no_grad():
        for images, _ in batches:
            child.train()(images)
    torch.testing.assert_close(supernet(IMAGES), child.eval()(IMAGES))
    assert not any(layer.training for layer in supernet.active.modules())


def test_rewards_change_no_statistics():
    supernet = mixed()
    supernet.take(nasbench201.SPACE.sample(np.random.default_rng(0)))
    before = copy.deepcopy(supernet.state_dict())
    with batch_statistics(supernet.active), torch.no_grad():
        one = supernet(IMAGES)
    after = supernet.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    with torch.no_grad():
        torch.testing.assert_close(one, supernet.train()(IMAGES))


def test_an_architecture_of_other_values_is_no_path():
    with pytest.raises(ValueError, match="not in list"):
        mixed().take(Architecture(dict.fromkeys(nasbench201.SPACE.decisions, "other")))
