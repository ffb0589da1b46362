"""Supernets of generated spaces: a path is the network of its architecture, and no more."""

import copy

import numpy as np
import pytest
import torch
from generated_networks import IMAGES, mixing, sized
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from torch import nn

from raynas.oneshot.mixed import MixedSupernet
from raynas.oneshot.mixture import Weighted
from raynas.oneshot.relaxation import plain
from raynas.oneshot.statistics import recalibrate
from raynas.oneshot.store import StoredSupernet
from raynas.rng import seed_weights
from raynas.training.inherit import common

SEEDS = st.integers(0, 2**32 - 1)
FEW = settings(max_examples=30, phases=[Phase.generate])  # to shrink takes minutes


def stored(build, space):
    seed_weights(0)
    return StoredSupernet(build, space, np.random.default_rng(0))


def mixed(build, space, share=1):
    seed_weights(0)
    return MixedSupernet(build, space, plain(space), share)


SUPERNETS = {"single": (sized(), stored), "mixed": (mixing(), mixed)}
EITHER = pytest.mark.parametrize("kind", SUPERNETS)


def made(kind, data):
    """A supernet of a drawn space, its build, and a way to draw architectures."""
    spaces, make = SUPERNETS[kind]
    space, build = data.draw(spaces)
    rng = np.random.default_rng(data.draw(SEEDS))
    supernet = make(build, space)

    def sample():
        return next(one for one in iter(lambda: space.sample(rng), None) if supernet.serves(one))

    return supernet, build, sample


def alone(build, supernet, architecture):
    """The network of an architecture with copies of the shared tensors."""
    network = build(architecture)
    supernet.lend(network, architecture)
    return copy.deepcopy(network)


def close(one, other, tolerance=1e-5):
    torch.testing.assert_close(one, other, rtol=tolerance, atol=tolerance)


@EITHER
@FEW
@given(data=st.data())
def test_a_path_computes_what_its_network_alone_computes(kind, data):
    supernet, build, sample = made(kind, data)
    seen = []
    for architecture in (sample() for _ in range(4)):
        network = alone(build, supernet, architecture)
        supernet.take(architecture)
        with torch.no_grad():
            seen.append((architecture, supernet.eval()(IMAGES)))
            close(seen[-1][1], network.eval()(IMAGES))
    with torch.no_grad():
        for architecture, before in seen:
            supernet.take(architecture)
            assert torch.equal(supernet(IMAGES), before)


@EITHER
@FEW
@given(data=st.data())
def test_a_lent_child_has_the_memory_of_the_supernet(kind, data):
    supernet, build, sample = made(kind, data)
    shared = {one.untyped_storage().data_ptr() for one in supernet.state_dict().values()}
    for architecture in (sample() for _ in range(3)):
        child = build(architecture)
        tied = len([*child.parameters()])
        supernet.lend(child, architecture)
        assert len([*child.parameters()]) == tied
        assert {one.untyped_storage().data_ptr() for one in child.state_dict().values()} <= shared


@EITHER
@FEW
@given(data=st.data())
def test_a_step_trains_what_the_network_alone_would_train(kind, data):
    """Two steps, so that the second one sees the change of the first."""
    supernet, build, sample = made(kind, data)
    architecture = sample()
    network = alone(build, supernet, architecture)
    supernet.take(architecture)
    before = {name: one.detach().clone() for name, one in supernet.named_parameters()}
    for one in (supernet, network):
        rule = torch.optim.SGD(one.parameters(), 0.1)
        for _ in range(2):
            rule.zero_grad()
            one.train()(IMAGES).square().mean().backward()
            rule.step()
    close(supernet.eval()(IMAGES), network.eval()(IMAGES), 1e-4)
    if kind == "single":
        _check_sizes(supernet, network, before)
        return
    used = {id(one) for one in supernet.tensors(architecture).values()}
    for name, one in supernet.named_parameters():
        if id(one) not in used:
            assert one.grad is None
            assert torch.equal(one, before[name])


def _check_sizes(supernet, network, before):
    """What is outside of the child's part, or in no part of it, is as before."""
    own = dict(network.named_parameters())
    for name, one in supernet.named_parameters():
        child = own.get(name.replace("/", ".").removeprefix("."))
        if child is None or child.grad is None:
            assert one.grad is None or not one.grad.count_nonzero()
            assert torch.equal(one, before[name])
            continue
        part = common(one.shape, child.shape)[0]
        close(one.detach()[part], child.detach(), 1e-4)
        rest = torch.ones_like(one, dtype=torch.bool)
        rest[part] = False
        assert torch.equal(one.detach()[rest], before[name][rest])


@EITHER
@FEW
@given(data=st.data())
def test_recalibrated_statistics_are_those_of_the_network_alone(kind, data):
    supernet, build, sample = made(kind, data)
    with torch.no_grad():  # other paths leave statistics behind
        for architecture in (sample() for _ in range(3)):
            supernet.take(architecture)
            supernet.train()(IMAGES)
    batches = [(IMAGES[:2], None), (IMAGES[2:], None)]
    network = alone(build, supernet, architecture)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.reset_running_stats()
            layer.momentum = None
    recalibrate(supernet.active, batches)
    with torch.no_grad():
        for images, _ in batches:
            network.train()(images)
        close(supernet(IMAGES), network.eval()(IMAGES), 1e-4)
    found = alone(build, supernet, architecture).state_dict()
    for name, expected in network.state_dict().items():
        close(found[name], expected)


@FEW
@given(data=st.data(), share=st.sampled_from([1, 2, 3, 8]))
def test_a_mixture_reaches_every_option(data, share):
    space, build = data.draw(mixing())
    supernet = mixed(build, space, share)
    weights = {path: torch.zeros(n, requires_grad=True) for path, n in supernet.options.items()}
    supernet.mix({path: Weighted(one.softmax(0)) for path, one in weights.items()})
    supernet.train()(IMAGES).square().sum().backward()
    assert {one.path for one in supernet.mixtures.values()} == {*supernet.options}
    assert all(one.grad is not None for one in supernet.parameters())
    assert all(one.grad is not None for one in weights.values())


@FEW
@given(data=st.data())
def test_what_is_derived_is_in_the_space(data):
    space, build = data.draw(mixing())
    supernet = mixed(build, space)
    rng = np.random.default_rng(data.draw(SEEDS))
    strengths = {path: rng.normal(size=n).tolist() for path, n in supernet.options.items()}
    derived = supernet.relaxation.derive(strengths)
    assert space.architecture(derived) == derived
    for path, place in supernet.places(derived).items():
        if path in strengths:
            assert place == int(np.argmax(strengths[path]))
