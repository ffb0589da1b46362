"""Weights from a network of another architecture: what is preserved, kept, counted."""

import copy
import io
import re
from collections import OrderedDict
from dataclasses import replace
from functools import partial
from importlib import import_module

import numpy as np
import pytest
import strategies
import torch
from briefs import BRIEFS, IMAGES
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from raynas.rng import seed_weights
from raynas.tasks import TASKS, Source
from raynas.training.examples import Examples
from raynas.training.inherit import grouping, in_common, inherit
from raynas.training.optimizers import optimizer_of
from raynas.training.optimizers.groups import Group
from raynas.training.optimizers.sgd import SGD
from raynas.training.recipe import Recipe
from raynas.training.train import Training
from search_spaces import mlp, mobile, nasbench201
from search_spaces.mobile.network import Squeeze

WIDTHS = st.integers(1, 7)
SIDES = st.sampled_from([1, 3, 5, 7])


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def lived(network, seed=0):
    """Give every weight and statistic a value of its own, as training does."""
    draw = generator(seed)
    for name, tensor in network.state_dict().items():
        if name.endswith("num_batches_tracked"):
            tensor.fill_(17)
        else:
            tensor.copy_(torch.rand(tensor.shape, generator=draw) + 0.1)
            if tensor.ndim > 1:
                tensor.sub_(0.6)
    return network


def heir(parent, child):
    """Fill the child from the parent; return the share."""
    return inherit(child, parent.state_dict(), grouping(parent))


def computes_the_same(parent, child, shape=(2, 6, 6)):
    parent, child = lived(parent).double().eval(), child.double().eval()
    heir(parent, child)
    inputs = torch.rand((3, *shape), generator=generator(9), dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(child(inputs), parent(inputs), rtol=1e-9, atol=1e-9)


# --- the function is preserved ------------------------------------------------------------------


def chain(widths, kernels, *, flat):
    layers, width = [], 2
    for wider, kernel in zip(widths, kernels, strict=True):
        layers += [nn.Conv2d(width, wider, kernel, padding=kernel // 2)]
        layers += [nn.BatchNorm2d(wider), nn.ReLU()]
        width = wider
    layers += [nn.AvgPool2d(3) if flat else nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(width * (4 if flat else 1), 3))


@settings(max_examples=40, deadline=None)
@given(data=st.data(), depth=st.integers(1, 3), flat=st.booleans())
def test_wider_chains_with_larger_kernels_compute_the_same(data, depth, flat):
    sizes = st.tuples(WIDTHS, WIDTHS), st.tuples(SIDES, SIDES)
    widths, sides = (
        [sorted(data.draw(pair)) for _ in range(depth)] for pair in sizes
    )  # old and new
    parent, child = (
        chain([pair[i] for pair in widths], [pair[i] for pair in sides], flat=flat) for i in (0, 1)
    )
    computes_the_same(parent, child)


@settings(max_examples=40, deadline=None)
@given(data=st.data(), depth=st.integers(1, 4), norm=st.sampled_from(["none", "batch"]))
def test_wider_perceptrons_compute_the_same(data, depth, norm):
    widths = [sorted(data.draw(st.tuples(WIDTHS, WIDTHS))) for _ in range(depth)]

    def network(i):
        decisions = {f"layers.{j}.width": pair[i] for j, pair in enumerate(widths)}
        rest = {"layers": depth, "activation": "GELU", "norm": norm, "dropout": 0.1}
        return mlp.build({**decisions, **rest}, (5,), 3)

    computes_the_same(network(0), network(1), shape=(5,))


class Residual(nn.Module):
    """A sum of three ways, one with channels filtered each by itself and gated."""

    def __init__(self, width, within, multiplier):
        super().__init__()
        self.stem = nn.Conv2d(2, width, 3, padding=1)
        self.deep = nn.Sequential(
            nn.Conv2d(width, within, 1, bias=False),
            nn.BatchNorm2d(within),
            nn.Hardswish(),
            nn.Conv2d(within, within * multiplier, 3, padding=1, groups=within),
            Squeeze(within * multiplier, max(within // 2, 1)),
            nn.Conv2d(within * multiplier, width, 1),
        )
        self.direct = nn.Conv2d(width, width, 3, padding=1)
        self.head = nn.Linear(width, 3)

    def forward(self, x):
        x = self.stem(x)
        x = x + self.deep(x) + self.direct(x)
        return self.head(x.mean((2, 3)))


@settings(max_examples=40, deadline=None)
@given(data=st.data(), multiplier=st.integers(1, 3))
def test_shortcuts_depthwise_filters_and_gates_agree_on_what_is_the_parents(data, multiplier):
    width, within = (sorted(data.draw(st.tuples(WIDTHS, WIDTHS))) for _ in range(2))
    computes_the_same(*(Residual(width[i], within[i], multiplier) for i in (0, 1)))


@pytest.mark.parametrize("groups", [(2, 4), (2, 5), (3, 3)])
def test_more_groups_of_one_width_compute_the_same(groups):
    def network(count):
        grouped = nn.Conv2d(3 * count, 4 * count, 3, padding=1, groups=count)
        first, last = nn.Conv2d(2, 3 * count, 1), nn.Conv2d(4 * count, 3, 6)
        return nn.Sequential(first, grouped, nn.ReLU(), last, nn.Flatten())

    computes_the_same(*map(network, groups))


@pytest.mark.parametrize("counts", [(1, 2), (2, 5)])
def test_more_groups_of_one_size_are_normalised_as_before(counts):
    def network(count):
        norm = nn.GroupNorm(count, 3 * count)
        first, last = nn.Conv2d(2, 3 * count, 1), nn.Conv2d(3 * count, 3, 6)
        return nn.Sequential(first, norm, nn.ReLU(), last, nn.Flatten())

    computes_the_same(*map(network, counts))


@pytest.mark.parametrize("norm", [nn.InstanceNorm2d, partial(nn.InstanceNorm2d, affine=True)])
def test_what_normalises_each_channel_by_itself_computes_the_same(norm):
    def network(width):
        layers = nn.Conv2d(2, width, 3), norm(width), nn.Conv2d(width, 3, 4), nn.Flatten()
        return nn.Sequential(*layers)

    computes_the_same(network(3), network(5))


def test_a_wider_batch_has_the_same_statistics():
    """What is preserved in evaluation is so in training."""
    parent = lived(chain([3, 5], [3, 3], flat=False)).double().train()
    child = chain([4, 11], [3, 3], flat=False).double().train()
    heir(parent, child)
    inputs = torch.rand((4, 2, 6, 6), generator=generator(), dtype=torch.float64)
    torch.testing.assert_close(child(inputs), parent(inputs), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("kernels", "expansions"), [((3, 3), (3, 6)), ((3, 5), (4, 4)), ((5, 7), (3, 4))]
)
@pytest.mark.parametrize("ratio", [0.0, 0.25])
def test_a_mobile_block_that_grows_computes_the_same(kernels, expansions, ratio):
    def network(i):
        stages = [mobile.Stage(width, ratio, ((3, 3),) * 2) for width in (16, 24, 48, 80)]
        grown = mobile.Stage(128, ratio, ((3, 3), (kernels[i], expansions[i])))
        six = (*stages, grown, mobile.Stage(256, 0.0, ((3, 3),)))
        return mobile.build(mobile.from_stages("Hardswish", six), (2, 6, 6), 3, width=0.2)

    computes_the_same(network(0), network(1))


def test_an_edge_of_a_cell_that_looks_further_computes_the_same():
    def network(operation):
        cell = nasbench201.from_string(
            f"|{operation}~0|+|skip_connect~0|nor_conv_1x1~1|+|none~0|avg_pool_3x3~1|none~2|"
        )
        return nasbench201.build(cell, (2, 6, 6), 3, channels=4, cells=2)

    computes_the_same(network("nor_conv_1x1"), network("nor_conv_3x3"))


# --- exact values -------------------------------------------------------------------------------


def filled(layer):
    """Number the weights of a layer."""
    for parameter in layer.parameters():
        numbers = torch.arange(parameter.numel(), dtype=parameter.dtype)
        parameter.data.copy_(numbers.reshape(parameter.shape))
    return layer


def test_the_first_units_of_a_wider_layer_are_the_parents_and_give_no_weight_to_new_ones():
    child = nn.Linear(4, 3)
    fresh = copy.deepcopy(child)
    assert heir(filled(nn.Linear(2, 2)), child) == 6 / 15
    assert child.weight[:2].tolist() == [[0, 1, 0, 0], [2, 3, 0, 0]]
    assert child.bias[:2].tolist() == [0, 1]
    assert torch.equal(child.weight[2:], fresh.weight[2:])
    assert torch.equal(child.bias[2:], fresh.bias[2:])


def test_one_side_may_widen_while_the_other_narrows():
    child = nn.Linear(2, 3)
    fresh = copy.deepcopy(child)
    assert heir(filled(nn.Linear(3, 2)), child) == 6 / 9
    assert child.weight[:2].tolist() == [[0, 1], [3, 4]]
    assert torch.equal(child.weight[2:], fresh.weight[2:])


def test_a_narrower_layer_keeps_the_first_units_as_they_are():
    child = nn.Linear(2, 2)
    assert heir(filled(nn.Linear(3, 4)), child) == 1.0
    assert child.weight.tolist() == [[0, 1], [3, 4]]
    assert child.bias.tolist() == [0, 1]


def test_a_smaller_kernel_is_the_centre_and_a_larger_one_has_zeros_around():
    small, large = nn.Conv2d(1, 2, (1, 3), bias=False), nn.Conv2d(1, 2, (3, 5), bias=False)
    assert heir(filled(large), small) == 1.0
    assert small.weight.tolist() == [[[[6, 7, 8]]], [[[21, 22, 23]]]]
    assert heir(filled(small), large) == 6 / 30  # zeros are nobody's
    empty = [0] * 5
    assert large.weight[:, 0].tolist() == [
        [empty, [0, 0, 1, 2, 0], empty],
        [empty, [0, 3, 4, 5, 0], empty],
    ]


def test_statistics_follow_their_channels():
    parent, child = lived(nn.BatchNorm1d(2)), nn.BatchNorm1d(5)
    assert heir(parent, child) == 2 / 5
    assert child.num_batches_tracked == 17
    for name, fresh in (("weight", 1), ("bias", 0), ("running_mean", 0), ("running_var", 1)):
        old, new = getattr(parent, name).tolist(), getattr(child, name).tolist()
        assert new == [*old, fresh, fresh, fresh]


def test_a_wider_layer_normalisation_scales_the_old_units_as_before():
    """It cannot compute the same: the mean is one of all units."""
    for kind in (nn.LayerNorm, nn.RMSNorm):
        parent, child = lived(kind(2)), kind(5)
        assert heir(parent, child) == 2 / 5
        for name, fresh in child.named_parameters():
            assert fresh[:2].tolist() == parent.get_parameter(name).tolist()
            assert fresh[2:].tolist() == ([0, 0, 0] if name == "bias" else [1, 1, 1])
    assert heir(nn.LayerNorm((2, 3)), nn.LayerNorm((4, 3))) == 0.0


# --- what stays, and the share ------------------------------------------------------------------


def test_what_has_no_like_in_the_parent_stays_and_is_not_counted():
    def network(**layers):
        return nn.Sequential(OrderedDict(layers))

    parent = lived(
        network(
            same=nn.Linear(3, 4),  # 16 numbers
            norm=nn.BatchNorm1d(4),  # 8, and statistics, which do not count
            ranked=nn.Conv1d(1, 1, 1),
            back=nn.ConvTranspose1d(2, 3, 2, bias=False),
            words=nn.Embedding(4, 3),
            groups=nn.Conv1d(4, 4, 1, groups=2, bias=False),
            gone=nn.Linear(9, 9),
        )
    )
    child = network(
        same=nn.Linear(3, 4),
        norm=nn.BatchNorm1d(4),
        ranked=nn.Conv2d(1, 1, 1, bias=False),
        back=nn.ConvTranspose1d(2, 4, 2, bias=False),
        words=nn.Embedding(5, 3),
        groups=nn.Conv1d(8, 8, 1, groups=2, bias=False),
        new=nn.Linear(2, 3),
    )
    before, given = copy.deepcopy(child.state_dict()), copy.deepcopy(parent.state_dict())
    assert heir(parent, child) == 24 / (16 + 8 + 1 + 16 + 15 + 32 + 9)
    for name, tensor in child.state_dict().items():
        kept = before if name.split(".")[0] not in ("same", "norm") else given
        assert torch.equal(tensor, kept[name]), name
    for name, tensor in parent.state_dict().items():
        assert torch.equal(tensor, given[name]), name


@pytest.mark.parametrize(
    ("parent", "child"),
    [
        (nn.Conv2d(8, 8, 3, groups=8), nn.Conv2d(8, 8, 3)),
        (nn.Conv2d(8, 8, 3), nn.Conv2d(8, 8, 3, groups=8)),
        (nn.Conv2d(6, 8, 1, groups=2), nn.Conv2d(12, 8, 1, groups=4)),  # tensors of one shape
        (nn.Conv2d(8, 8, 3, groups=4), nn.Conv2d(8, 8, 3, groups=2)),
        (nn.ConvTranspose2d(4, 4, 1, groups=2), nn.ConvTranspose2d(2, 4, 1, groups=2)),
    ],
)
def test_filters_that_read_other_channels_are_not_the_parents(parent, child):
    fresh = child.weight.clone()
    heir(parent, child)
    assert torch.equal(child.weight, fresh)


def test_shared_weights_count_once():
    def tied():
        first, second = nn.Linear(3, 3), nn.Linear(3, 3)
        second.weight = first.weight
        return nn.Sequential(first, second, nn.Linear(3, 2, bias=False))

    parent, child = lived(tied()), tied()
    state = {name: tensor for name, tensor in parent.state_dict().items() if name[0] != "2"}
    assert inherit(child, state) == 15 / 21
    assert child[1].weight is child[0].weight


def test_nothing_in_common_is_a_share_of_zero():
    assert heir(nn.Sequential(nn.Linear(2, 2)), nn.Linear(2, 2)) == 0.0
    assert heir(nn.Linear(2, 2), nn.ReLU()) == 0.0


@pytest.mark.parametrize("width", [4, 6])
def test_the_child_keeps_its_type_and_layout(width):
    parent = lived(chain([4, 4], [3, 3], flat=False)).double()
    child = chain([width, 4], [5, 3], flat=False).half().to(memory_format=torch.channels_last)
    before = {name: (t.dtype, t.stride(), t.data_ptr()) for name, t in child.state_dict().items()}
    heir(parent, child)
    after = {name: (t.dtype, t.stride(), t.data_ptr()) for name, t in child.state_dict().items()}
    assert after == before
    assert all(p.requires_grad for p in child.parameters())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gets_the_same_weights():
    parent = lived(chain([3, 5], [3, 3], flat=False))
    children = [chain([4, 11], [5, 1], flat=False).to(device) for device in ("cpu", "cuda")]
    for child, device in zip(children, ("cuda", "cpu"), strict=True):
        heir(copy.deepcopy(parent).to(device), child)
    for one, other in zip(*(child.state_dict().values() for child in children), strict=True):
        assert torch.equal(one, other.cpu())


# --- training goes on ---------------------------------------------------------------------------


def test_new_units_come_into_use():
    seed_weights(1)
    child, inputs = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)), torch.rand(8, 3)
    heir(lived(nn.Sequential(nn.Linear(3, 2), nn.Tanh(), nn.Linear(2, 2))), child)
    fresh = child[0].weight[2:].clone()
    optimizer = optimizer_of(child, Recipe(weight_decay=0.0))
    for _ in range(2):
        torch.autograd.backward((child(inputs) - 1).square().sum())
        optimizer.step(0.01)
    assert (child[2].weight[:, 2:] != 0).all()
    assert (child[0].weight[2:] != fresh).all()


def test_momentum_goes_with_the_weights_it_moved_and_what_is_new_is_at_rest():
    def network(width):
        wider = nn.Linear(2, width, bias=False)
        return nn.Sequential(OrderedDict(same=nn.Linear(2, 2), wider=wider))

    child, parent = network(4), network(3).state_dict()
    narrower = network(1)
    old = {name: torch.ones_like(tensor) for name, tensor in parent.items()}
    for one, kept in ((child, [[1, 1]] * 3 + [[0, 0]]), (narrower, [[1, 1]])):
        new = torch.zeros(2, requires_grad=True)
        own = SGD([Group({**dict(one.named_parameters()), "new": new})], Recipe())
        moments = {"momentum": {**old, "gone": torch.ones(3)}}
        own.inherit(moments, in_common(one, parent))
        momentum = own.moments["momentum"]
        assert momentum["same.weight"].tolist() == [[1, 1], [1, 1]]
        assert momentum["wider.weight"].tolist() == kept
        assert momentum["new"].tolist() == [0, 0]
    old["same.weight"].zero_()
    assert momentum["same.weight"].tolist() == [[1, 1], [1, 1]]


def test_a_wider_child_takes_the_steps_its_parent_would_have_taken(digits):
    """As far as the parent's units go: without its momentum, the child would begin at rest."""
    valid = Examples.of(digits.valid, digits, torch.device("cpu"))
    few = replace(valid, inputs=valid.inputs[:32], targets=valid.targets[:32])
    recipe = Recipe(batch_size=16, crop=0, flip=False, weight_decay=0.0)

    def begun(width):
        seed_weights(width)
        layers = nn.Flatten(), nn.Linear(64, width, bias=False), nn.ReLU(), nn.Linear(width, 10)
        return Training(nn.Sequential(*layers), few, recipe, epochs=9, seed=1)

    parent, child, idle = begun(8), begun(12), begun(12)
    for _ in range(3):
        parent.step()
    state = copy.deepcopy(parent.state())
    child.inherit(state)
    idle.inherit({**state, "optimizer": {"name": "sgd", "moments": {"momentum": {}}}})
    for heir_of in (child, idle):
        heir_of.epoch = 3
        heir_of.step()
    parent.step()
    wanted = parent.child[3].weight
    near, far = ((one.child[3].weight[:, :8] - wanted).norm() for one in (child, idle))
    assert near < 0.3 * far


@pytest.mark.parametrize("known", [True, False])
def test_training_knows_the_groups_of_its_convolutions(digits, known):
    valid = Examples.of(digits.valid, digits, torch.device("cpu"))

    def begun(groups):
        conv = nn.Conv2d(1, 8, 1), nn.Conv2d(8, 8, 3, groups=groups, bias=False)
        head = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10)
        return Training(nn.Sequential(*conv, *head), valid, Recipe(crop=0), epochs=2, seed=1)

    state = begun(8).state()
    if not known:  # as older checkpoints are
        del state["groups"]
    share = begun(1).inherit(state)
    assert share == ((16 + 90) if known else (16 + 90 + 72)) / (16 + 576 + 90)


# --- the shipped spaces -------------------------------------------------------------------------

OPTIONS = {
    "nasbench201": {"channels": 4, "cells": 1},
    "darts": {"channels": 4, "cells": 3, "drop_path": 0.1},
    "mobile": {"width": 0.1},
}
SPACES = strategies.shipped_spaces()
BUILDS = {
    name: partial(import_module(name).build, **BRIEFS[short], **OPTIONS.get(short, {}))
    for name in SPACES
    if (short := name.rpartition(".")[2]) in BRIEFS
}
OF_IMAGES = [name for name in BUILDS if BRIEFS[name.rpartition(".")[2]] == IMAGES]


def built(name, architecture, seed=0):
    seed_weights(seed)
    return BUILDS[name](architecture)


def names(network):
    return {name for name, _ in network.named_parameters()}


def test_every_shipped_space_is_tried():
    assert set(BUILDS) == set(SPACES)


@pytest.mark.parametrize("name", BUILDS)
def test_a_mutant_inherits_most(name):
    shares = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        parent = SPACES[name].sample(rng)
        child = built(name, SPACES[name].mutate(parent, rng), seed=1)
        shares.append(heir(built(name, parent), child))
        assert all(tensor.isfinite().all() for tensor in child.state_dict().values())
    assert all(0.0 <= share <= 1.0 for share in shares)
    assert np.mean(shares) > 0.3


@pytest.fixture(scope="module")
def digits():
    return TASKS["digits"]().load(Source(), seed=0)


@pytest.mark.parametrize("name", OF_IMAGES)
def test_a_child_of_the_same_architecture_trains_on_as_its_parent(name, digits):
    valid = Examples.of(digits.valid, digits, torch.device("cpu"))
    examples = replace(valid, inputs=valid.inputs[:48], targets=valid.targets[:48])
    architecture = SPACES[name].sample(np.random.default_rng(3))
    recipe = Recipe(batch_size=16, crop=1)
    parent, child = (
        Training(
            built(name, architecture, seed), examples, recipe, epochs=3, seed=7, valid=examples
        )
        for seed in (0, 1)
    )
    parent.step()
    file = io.BytesIO()
    torch.save(parent.state(), file)
    file.seek(0)
    assert child.inherit(torch.load(file, weights_only=True)) == 1.0
    child.epoch = 1
    with torch.no_grad():
        inputs = examples.normalised(examples.inputs[:9])
        assert torch.equal(parent.child.eval()(inputs), child.child.eval()(inputs))
    for _ in range(2):
        assert child.step().metrics == parent.step().metrics
    for one, other in zip(*(t.child.state_dict().values() for t in (parent, child)), strict=True):
        assert torch.equal(one, other)


CHANGES = {
    "an edge of a cell": ("nasbench201", "edge_0_2", r"stage_\d\.0\.convs\.0_2\."),
    "an operation": ("darts", "normal.node_4.first", r"cells\.\d\.operations\.\d_4\."),
    "an operation of stride 2": ("darts", "reduce.node_2.second", r"cells\.\d\.operations\.1_2\."),
    "what a node reads": ("darts", "normal.node_5.inputs", r"cells\.\d\.operations\.\d_5\."),
    "a gate": ("mobile", "stage3.squeeze", r"stage3\.\d\.layers\.6\.gate\."),
    "blocks": ("mobile", "stage4.blocks", r"stage4\.[123]\."),
    "an activation": ("mobile", "activation", None),
    "layers": ("mlp", "layers", r"(linear|norm)_[123]\."),
    "a norm": ("mlp", "norm", r"norm_\d\.|linear_\d\.bias"),
    "dropout": ("mlp", "dropout", None),
    "an operation on texts": ("textnas", "layer_3.operation", r"layers\.3\.operation\."),
    "a skip": ("textnas", "layer_3.skip_1", r"layers\.3\.norm\."),
    "a linear part": ("series", "linear", r"linear\."),
    "columns": ("tabular", "numbers", r"columns\.numbers\.|linear_|resnet\.first\."),
    "positions": ("decoder", "position", r"positions\."),
    "layers of a decoder": ("decoder", "depth", r"layers\.[123]\."),
    "a decoder's activation": ("decoder", "feed_forward.activation", r"layers\.\d\.feed\.gate\."),
}


@pytest.mark.parametrize(("short", "path", "pattern"), CHANGES.values(), ids=CHANGES)
def test_what_did_not_change_keeps_its_name(short, path, pattern):
    name = f"search_spaces.{short}"
    space, seen = SPACES[name], set()
    for seed in range(3):
        rng = np.random.default_rng(seed)
        parent = space.sample(rng)
        for value in space.decisions[path].domain.others(parent[path], rng):
            child = space._changed(parent, path, value, rng)
            seen |= names(built(name, parent)) ^ names(built(name, child))
    assert bool(seen) == (pattern is not None)
    assert all(pattern and re.match(pattern, changed) for changed in seen), sorted(seen)
