"""The shipped spaces that serve mixed paths, each alike."""

from functools import partial
from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from raynas.oneshot.mixed import MixedSupernet
from raynas.oneshot.mixture import Weighted
from raynas.oneshot.relaxation import plain
from raynas.rng import seed_weights
from search_spaces import darts, nasbench201, textnas
from search_spaces.darts.relaxed import NONE, OPTIONS, RELAXATION
from search_spaces.nasbench201 import small
from search_spaces.textnas import published
from search_spaces.textnas.layers import steps

RNG = torch.Generator().manual_seed(0)
IMAGES = torch.randn(6, 1, 8, 8, generator=RNG)
TEXTS = torch.randint(0, 11, (6, 8), generator=RNG)
IMAGE = {"input_shape": (1, 8, 8), "outputs": 5}
TEXT = {"vocabulary": 11, "length": 8, "outputs": 5, "width": 4, "dropout": 0.0}
SPACES = {
    "nasbench201": (nasbench201, {**IMAGE, "channels": 4, "cells": 1}, IMAGES),
    "small": (small, {**IMAGE, "channels": 3, "cells": 1}, IMAGES),
    "darts": (darts, {**IMAGE, "channels": 4, "cells": 3}, IMAGES),
    "textnas": (textnas, TEXT, TEXTS),
    "textnas, 24 layers": (published, TEXT, TEXTS),
}


def build_of(name):
    module, brief, _ = SPACES[name]
    return partial(module.build, **brief)


def relaxation_of(module):
    return getattr(module, "RELAXATION", None) or plain(module.SPACE)


def supernet_of(name, share=1):
    module, *_ = SPACES[name]
    seed_weights(0)
    return MixedSupernet(build_of(name), module.SPACE, relaxation_of(module), share)


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("seed", range(6))
def test_a_path_is_the_lent_child(name, seed):
    module, _, inputs = SPACES[name]
    supernet, build = supernet_of(name), build_of(name)
    architecture = module.SPACE.sample(np.random.default_rng(seed))
    child = build(architecture)
    supernet.lend(child, architecture)
    shared = {one.data_ptr() for one in supernet.parameters()}
    assert {one.data_ptr() for one in child.parameters()} <= shared
    supernet.take(architecture)
    with torch.no_grad():
        torch.testing.assert_close(
            supernet.eval()(inputs), child.eval()(inputs), rtol=0, atol=1e-6
        )
        torch.testing.assert_close(
            supernet.train()(inputs), child.train()(inputs), rtol=0, atol=1e-5
        )
    supernet(inputs).square().sum().backward()
    used = {id(one) for one in child.parameters()}
    assert all(one.grad is None for one in supernet.parameters() if id(one) not in used)


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("share", [1, 2])
def test_all_options_are_reached_by_the_mixture(name, share):
    supernet = supernet_of(name, share)
    *_, inputs = SPACES[name]
    weights = {path: torch.zeros(n, requires_grad=True) for path, n in supernet.options.items()}
    supernet.mix({path: Weighted(one.softmax(0)) for path, one in weights.items()})
    supernet.train()(inputs).square().sum().backward()
    assert all(one.grad is not None for one in supernet.parameters())
    assert all(one.grad.count_nonzero() == len(one) for one in weights.values())
    assert {one.path for one in supernet.mixtures.values()} == {*supernet.options}


@pytest.mark.parametrize("name", SPACES)
@given(st.integers(0, 2**32))
def test_the_strengths_of_one_path_give_its_architecture(name, seed):
    module, *_ = SPACES[name]
    relaxation = relaxation_of(module)
    architecture = module.SPACE.sample(np.random.default_rng(seed))
    chosen = relaxation.path(architecture)
    strengths = {
        path: [float(value == chosen[path]) for value in decision.domain.values()]
        for path, decision in relaxation.space.decisions.items()
    }
    derived = relaxation.derive(strengths)
    assert module.SPACE.identity(derived) == module.SPACE.identity(architecture)


@given(st.integers(0, 2**32))
def test_the_genotype_is_that_of_the_rule_of_darts(seed):
    """Against the rule written out: sort the edges, keep two, take the best operation."""
    rng = np.random.default_rng(seed)
    strengths = {path: rng.dirichlet(np.ones(8)).tolist() for path in RELAXATION.space.decisions}
    genotype = darts.to_genotype(RELAXATION.derive(strengths))
    none = OPTIONS.index(NONE)
    for cell, edges in (("normal", genotype.normal), ("reduce", genotype.reduce)):
        for at, node in enumerate(range(2, 6)):
            weights = [strengths[f"{cell}.edge_{source}_{node}"] for source in range(node)]
            ranked = sorted(
                range(node), key=lambda j: -max(w for k, w in enumerate(weights[j]) if k != none)
            )
            expected = set()
            for j in ranked[:2]:
                best = max((k for k in range(8) if k != none), key=lambda k: weights[j][k])
                expected.add((OPTIONS[best], j))
            assert {*edges[2 * at : 2 * at + 2]} == expected


@given(st.integers(0, 2**32))
def test_a_layer_has_the_skips_that_are_stronger_than_none(seed):
    """Against all combinations: among those that are allowed, the strongest one."""
    rng = np.random.default_rng(seed)
    relaxation = textnas.RELAXATION
    strengths = {
        path: rng.dirichlet(np.ones(int(decision.domain.count))).tolist()
        for path, decision in relaxation.space.decisions.items()
    }
    for i, step in enumerate(steps(relaxation.derive(strengths))[1:], start=1):
        without, present = strengths[f"layer_{i}.skips"]
        own = [strengths[f"layer_{i}.skip_{j}"] for j in range(i)]

        def strength(skips, own=own):
            return sum(pair[j in skips] for j, pair in enumerate(own))

        some = [skips for n in range(1, i + 1) for skips in combinations(range(i), n)]
        assert step.skips == (max(some, key=strength) if present > without else ())
