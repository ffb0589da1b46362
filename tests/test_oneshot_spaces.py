"""The shipped spaces: which methods train them, and those that serve mixed paths, each alike."""

from functools import partial
from importlib import import_module
from itertools import combinations

import numpy as np
import pytest
import torch
from briefs import BRIEFS, inputs, outputs
from hypothesis import given
from hypothesis import strategies as st
from strategies import shipped_spaces
from torch.nn import functional

from raynas.data import Data, Loop, Split
from raynas.errors import SpaceError
from raynas.execution.training_context import TrainingContext
from raynas.execution.trial_spec import TrialSpec
from raynas.execution.worker import train
from raynas.experiment.resolve.supernet_serving import serving
from raynas.goals import Classification, NextToken, Regression
from raynas.oneshot.loop import SupernetLoop
from raynas.oneshot.mixed import MixedSupernet
from raynas.oneshot.mixture import Weighted
from raynas.oneshot.relaxation import plain
from raynas.oneshot.supernet_build import SupernetBuild
from raynas.rng import seed_weights
from raynas.training.recipe import Recipe
from raynas.trial import Objective, Report
from search_spaces import darts, nasbench201, recurrent_cells, textnas
from search_spaces.darts.relaxed import NONE, OPTIONS, RELAXATION
from search_spaces.mobile import proxyless
from search_spaces.nasbench201 import small
from search_spaces.textnas import published
from search_spaces.textnas.layers import steps

RNG = torch.Generator().manual_seed(0)
IMAGES = torch.randn(6, 1, 8, 8, generator=RNG)
TEXTS = torch.randint(0, 11, (6, 8), generator=RNG)
IMAGE = {"input_shape": (1, 8, 8), "outputs": 5}
CELLS = {"vocabulary": 11, "length": 8, "width": 4, "layers": 2, "dropout": 0.0}
TEXT = {"vocabulary": 11, "length": 8, "outputs": 5, "width": 4, "dropout": 0.0}
SPACES = {
    "nasbench201": (nasbench201, {**IMAGE, "channels": 4, "cells": 1}, IMAGES),
    "small": (small, {**IMAGE, "channels": 3, "cells": 1}, IMAGES),
    "mobile.proxyless": (proxyless, {**IMAGE, "width": 0.1, "dropout": 0.0}, IMAGES),
    "darts": (darts, {**IMAGE, "channels": 4, "cells": 3}, IMAGES),
    "recurrent_cells": (recurrent_cells, CELLS, TEXTS),
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


# Small networks of each space, so that an epoch takes little time.
SMALL = {
    "darts": {"channels": 4, "cells": 3},
    "mobile": {"width": 0.1},
    "nasbench201": {"channels": 4, "cells": 1},
    "recurrent_cells": {"width": 8},
    "textnas": {"width": 4},
}
NO_MIXTURE = r"build reads the decision '{}' itself, .*choose"
# Why a space cannot be trained; all others are.
REFUSED = {
    ("decoder", "random-ws"): r"tensor tokens\.weight must mean the same .* Embedding",
    ("series", "random-ws"): r"tensor own\.layers\.0_(lstm|gru)\.\w+ must mean the same",
    ("decoder", "darts"): NO_MIXTURE.format("width"),
    ("mlp", "darts"): NO_MIXTURE.format("layers"),
    ("mobile", "darts"): NO_MIXTURE.format("activation"),
    ("series", "darts"): NO_MIXTURE.format("body"),
    ("tabular", "darts"): NO_MIXTURE.format("backbone"),
}
LOOP = SupernetLoop(Objective("loss", "min"), {"random-ws": {"samples": 4}}, {"batch_size": 8})


def data_of(name):
    """Random examples of the kind that the space is for."""
    asked, rng = outputs(name, 16), np.random.default_rng(0)
    if len(asked) > 2:
        goal, targets = NextToken(asked[-1]), rng.integers(asked[-1], size=asked[:-1])
    elif name == "series":
        goal, targets = Regression(), rng.normal(size=asked).astype(np.float32)
    else:
        goal, targets = Classification(asked[-1]), rng.integers(asked[-1], size=asked[0])
    part = Split(inputs(name, 16).numpy(), targets)
    return Data(part, part, part, goal=goal, norm=False)


SLOW = {"mobile": pytest.mark.slow}  # its supernet is made of 174 networks


@pytest.mark.parametrize("method", ["random-ws", "darts"])
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=SLOW.get(name, ())) for name in sorted(BRIEFS)]
)
def test_each_space_is_trained_or_refused_by_a_reason(name, method, tmp_path):
    module = import_module(f"search_spaces.{name}")
    build = partial(module.build, **BRIEFS[name], **SMALL.get(name, {}))
    made = SupernetBuild(build, module.SPACE, relaxation_of(module), {method: 1})
    if reason := REFUSED.get((name, method)):
        with pytest.raises(SpaceError, match=reason):
            serving(name, made, LOOP.method(method), inputs(name, 2), lambda _: None)
        return
    made = serving(name, made, LOOP.method(method), inputs(name, 2), lambda _: None)
    context = TrainingContext(made, Recipe(), data_of(name), "cpu", loop=Loop(LOOP.fit))
    told = TrialSpec(0, {"method": method}, 1, seed=0, checkpoint=str(tmp_path / "a.pt"))
    (report,) = train(context, told)
    assert isinstance(report, Report), report
    assert {"train_loss", "shared_loss"} <= report.metrics.keys()


def test_each_space_is_looked_at():
    assert {*shipped_spaces()} <= {f"search_spaces.{name}" for name in BRIEFS}


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("seed", range(4))
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
    # All equal, a gate between two equal sums would have no gradient.
    draw = torch.Generator().manual_seed(0)
    weights = {
        path: torch.randn(n, generator=draw).requires_grad_()
        for path, n in supernet.options.items()
    }
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


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("seed", range(3))
@torch.no_grad()
def test_a_mixture_that_weighs_one_path_alone_computes_that_path(name, seed):
    """Against the route of the path, which may compute in another way."""
    module, _, inputs = SPACES[name]
    supernet = supernet_of(name).eval()
    architecture = module.SPACE.sample(np.random.default_rng(seed))
    supernet.take(architecture)
    alone = supernet(inputs)
    places = supernet.places(architecture)
    supernet.mix(
        {
            path: Weighted(functional.one_hot(torch.tensor(places.get(path, 0)), n).float())
            for path, n in supernet.options.items()
        }
    )
    torch.testing.assert_close(supernet(inputs), alone, rtol=1e-4, atol=1e-5)


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
