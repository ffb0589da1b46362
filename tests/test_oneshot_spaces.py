"""The shipped spaces that serve mixed paths, each alike."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from raynas.oneshot.mixed import MixedSupernet
from raynas.oneshot.mixture import Weighted
from raynas.oneshot.relaxation import plain
from raynas.rng import seed_weights
from search_spaces import darts, nasbench201
from search_spaces.darts.relaxed import NONE, OPTIONS, RELAXATION
from search_spaces.nasbench201 import small

IMAGES = torch.randn(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))
SIZES = {
    nasbench201: {"channels": 4, "cells": 1},
    small: {"channels": 3, "cells": 1},
    darts: {"channels": 4, "cells": 3},
}
SPACES = {module.__name__: module for module in SIZES}


def build_of(module):
    return lambda architecture: module.build(architecture, (1, 8, 8), 5, **SIZES[module])


def relaxation_of(module):
    return getattr(module, "RELAXATION", None) or plain(module.SPACE)


def supernet_of(module, share=1):
    seed_weights(0)
    return MixedSupernet(build_of(module), module.SPACE, relaxation_of(module), share)


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("seed", range(6))
def test_a_path_is_the_lent_child(name, seed):
    module = SPACES[name]
    supernet, build = supernet_of(module), build_of(module)
    architecture = module.SPACE.sample(np.random.default_rng(seed))
    child = build(architecture)
    supernet.lend(child, architecture)
    shared = {one.data_ptr() for one in supernet.parameters()}
    assert {one.data_ptr() for one in child.parameters()} <= shared
    supernet.take(architecture)
    with torch.no_grad():
        torch.testing.assert_close(
            supernet.eval()(IMAGES), child.eval()(IMAGES), rtol=0, atol=1e-6
        )
        torch.testing.assert_close(
            supernet.train()(IMAGES), child.train()(IMAGES), rtol=0, atol=1e-5
        )
    supernet(IMAGES).square().sum().backward()
    used = {id(one) for one in child.parameters()}
    assert all(one.grad is None for one in supernet.parameters() if id(one) not in used)


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("share", [1, 2])
def test_all_options_are_reached_by_the_mixture(name, share):
    supernet = supernet_of(SPACES[name], share)
    weights = {path: torch.zeros(n, requires_grad=True) for path, n in supernet.options.items()}
    supernet.mix({path: Weighted(one.softmax(0)) for path, one in weights.items()})
    supernet.train()(IMAGES).square().sum().backward()
    assert all(one.grad is not None for one in supernet.parameters())
    assert all(one.grad.count_nonzero() == len(one) for one in weights.values())
    assert {one.path for one in supernet.mixtures.values()} == {*supernet.options}


@pytest.mark.parametrize("name", SPACES)
@given(st.integers(0, 2**32))
def test_the_strengths_of_one_path_give_its_architecture(name, seed):
    module = SPACES[name]
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
