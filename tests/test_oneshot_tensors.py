"""Which tensors networks share: tied ones, constants, those of groups, and those that moved."""

import numpy as np
import pytest
import torch
from torch import nn

from raynas.errors import SpaceError
from raynas.oneshot import choose
from raynas.oneshot.mixed import MixedSupernet
from raynas.oneshot.mixture import Only, PartialMixture, Zero
from raynas.oneshot.relaxation import plain
from raynas.oneshot.store import StoredSupernet
from raynas.space import Choice, Repeat, Space

SIZES = Space({"size": Choice((2, 4))})
ROWS = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))


def stored(build, space=SIZES):
    return StoredSupernet(build, space, np.random.default_rng(0))


def mixed(build, space=SIZES, share=1):
    return MixedSupernet(build, space, plain(space), share)


class Language(nn.Module):
    """With logits of the embedding's weights, or of their own."""

    def __init__(self, tied):
        super().__init__()
        self.tokens, self.logits = nn.Embedding(7, 3), nn.Linear(3, 7, bias=False)
        if tied:
            self.logits.weight = self.tokens.weight

    def forward(self, ids):
        return self.logits(self.tokens(ids))


def test_a_tied_tensor_is_shared_once():
    space = Space({"tied": Choice((False, True))})
    supernet = stored(lambda one: Language(one["tied"]), space)
    assert {name for name, _ in supernet.named_parameters()} == {"tokens/weight", "logits/weight"}
    supernet.take(space.architecture({"tied": True}))
    assert supernet.active.logits.weight is supernet.active.tokens.weight
    supernet.take(space.architecture({"tied": False}))
    assert supernet.active.logits.weight is not supernet.active.tokens.weight


class Scaled(nn.Module):
    def __init__(self, factor, persistent):
        super().__init__()
        self.register_buffer("factor", torch.tensor(float(factor)), persistent)

    def forward(self, x):
        return x * self.factor


def test_a_buffer_that_is_no_state_stays_that_of_the_architecture():
    supernet = stored(lambda one: Scaled(one["size"], persistent=False))
    for architecture in SIZES:
        supernet.take(architecture)
        assert torch.equal(supernet(ROWS), ROWS * architecture["size"])


def test_a_constant_in_the_state_that_differs_is_refused():
    with pytest.raises(SpaceError, match=r"buffer factor must begin .*\"size\":4.*persistent"):
        stored(lambda one: Scaled(one["size"], persistent=True))


def test_a_random_buffer_is_shared():
    def build(one):
        network = nn.Sequential(nn.Dropout(one["size"] / 10), nn.Identity())
        network[1].register_buffer("frequencies", torch.randn(3))
        return network

    assert "1/frequencies" in dict(stored(build).named_buffers())


@pytest.mark.parametrize("name", ["space", "active", "serves", "_now", "weight"])
def test_a_tensor_may_have_any_name(name):
    class Own(nn.Module):
        def __init__(self, size):
            super().__init__()
            self.size = size
            setattr(self, name, nn.Parameter(torch.ones(5)))

        def forward(self, x):
            return x * getattr(self, name) * self.size

    supernet = stored(lambda one: Own(one["size"]))
    supernet.take(SIZES.architecture({"size": 2}))
    assert torch.equal(supernet(ROWS), 2 * ROWS)


def grouped(one):
    return nn.Sequential(nn.Conv1d(2 * one["size"], 8, 1, groups=one["size"]))


def test_filters_that_read_other_channels_are_not_shared():
    with pytest.raises(SpaceError, match=r"0\.weight must mean .*2 groups .*4 groups"):
        stored(grouped)


def test_a_filter_per_channel_is_shared_by_more_channels_and_larger_kernels():
    space = Space({"kernel": Choice((3, 5, 1)), "width": Choice((4, 1, 2))})

    def build(one):
        width, kernel = one["width"], one["kernel"]
        return nn.Sequential(nn.Conv1d(width, width, kernel, groups=width))

    supernet = stored(build, space)
    assert all(supernet.serves(one) for one in space)


def test_an_architecture_with_another_meaning_of_a_name_is_no_path():
    """The first look at a space cannot see all combinations."""
    space = Space({f"bit_{i}": Choice((1, 0)) for i in range(12)})

    class Other(nn.Linear):
        pass

    def build(one):
        return nn.Sequential((Other if all(one.values()) else nn.Linear)(5, 2))

    supernet = stored(build, space)
    odd = space.architecture(dict.fromkeys(space.decisions, 1))
    assert not supernet.serves(odd)
    with pytest.raises(SpaceError, match=r"0\.weight must mean the same .*Linear.*Other"):
        supernet.take(odd)


def test_what_lies_below_a_rare_option_is_looked_at():
    rare = {"rare": {"layers": Repeat({"width": Choice((16, 2))}, 1, 3)}, "usual": None}
    space = Space({"branch": Choice(rare, weights=[1e-9, 1])})

    def build(one):
        layers, width = nn.Sequential(), 5
        for i in range(one.get("branch.rare.layers", 0)):
            layers.append(nn.Linear(width, one[f"branch.rare.layers.{i}.width"]))
            width = layers[-1].out_features
        return nn.ModuleDict({"layers": layers, "last": nn.Linear(width, 2)})

    supernet = stored(build, space)
    assert all(supernet.serves(one) for one in space)


def test_many_options_are_all_looked_at():
    space = Space({"width": Choice(tuple(range(1, 100)))})
    supernet = stored(lambda one: nn.Linear(5, one["width"]), space)
    assert all(supernet.serves(one) for one in space)


def test_a_narrow_path_moves_with_its_supernet():
    supernet = stored(lambda one: nn.Linear(5, one["size"]))
    supernet.take(SIZES.architecture({"size": 2}))
    supernet.double()
    supernet(ROWS.double()).sum().backward()
    assert supernet.get_parameter("/weight").grad.count_nonzero() == 10


def test_a_lazy_layer_is_refused_by_its_name():
    with pytest.raises(SpaceError, match=r"tensor 0\.weight must have a shape .*lazy"):
        stored(lambda one: nn.Sequential(nn.LazyLinear(one["size"])))


# Mixed paths.


def test_one_module_may_be_several_options():
    same = nn.Linear(5, 5)
    supernet = mixed(lambda one: nn.Sequential(choose(one, "size", {2: lambda: same, 4: nn.ReLU})))
    both = mixed(lambda one: choose(one, "size", {2: lambda: same, 4: lambda: same}))
    for architecture in SIZES:
        both.take(architecture)
        assert torch.equal(both(ROWS), same(ROWS))
    supernet.take(SIZES.architecture({"size": 4}))
    assert torch.equal(supernet(ROWS), ROWS.relu())


def test_a_module_and_a_mixture_may_stand_in_several_places():
    def build(one):
        same, options = nn.Linear(5, 5), {2: lambda: nn.Linear(5, 5), 4: nn.ReLU}
        mixture = choose(one, "size", options)
        return nn.Sequential(same, mixture, same, mixture)

    supernet = mixed(build)
    for architecture in SIZES:
        child = build(architecture)
        supernet.lend(child, architecture)
        supernet.take(architecture)
        assert child[0].weight is child[2].weight
        assert torch.equal(child(ROWS), supernet(ROWS))


def test_a_decision_with_one_option_can_be_asked_for():
    space = Space({"size": Choice((2, 4)), "only": Choice(("dense",))})

    def build(one):
        return nn.Sequential(
            choose(one, "size", {2: nn.ReLU, 4: nn.Identity}),
            choose(one, "only", {"dense": lambda channels: nn.Linear(channels, channels)}, 5),
        )

    assert mixed(build, space, share=2)(ROWS).shape == ROWS.shape


@pytest.mark.parametrize("channels", [1, 2, 3, 8])
@pytest.mark.parametrize("sides", [(6,), (6, 6), (6, 6, 6)])
def test_the_channels_that_pass_a_partial_mixture_are_halved_like_the_others(channels, sides):
    part = max(1, channels // 4)
    pool = (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)[len(sides) - 1](2)
    mixture = PartialMixture("a", [pool, Zero(2)], {"a": Only(0)}, part)
    x = torch.randn(2, channels, *sides)
    halved = tuple(side // 2 for side in sides)
    assert mixture(x).shape == (2, channels, *halved)
    assert Zero(2)(x).shape == (2, channels, *halved)


def test_what_is_asked_for_must_be_a_decision():
    with pytest.raises(SpaceError, match="no decision 'sizes': did you mean 'size'"):
        choose(SIZES.architecture({"size": 2}), "sizes", {})


def test_an_option_that_returns_several_tensors_is_refused_by_its_decision():
    options = {2: lambda: nn.GRU(5, 5), 4: nn.Identity}
    with pytest.raises(SpaceError, match=r"decision 'size', .* must return one tensor each"):
        mixed(lambda one: choose(one, "size", options))(ROWS)
