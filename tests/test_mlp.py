import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from raynas.space import Float, Space
from search_spaces import mlp

SEEDS = st.integers(0, 2**32 - 1)
SMALLEST = {
    "layers": 1,
    "layers.0.width": 16,
    "activation": "Tanh",
    "norm": "none",
    "dropout": 0.0,
}


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, shape=st.sampled_from([(30,), (1, 8, 8), (3, 5, 4)]), classes=st.integers(2, 9))
def test_everything_sampled_trains(seed, shape, classes):
    architecture = mlp.SPACE.sample(np.random.default_rng(seed))
    network = mlp.build(architecture, shape, classes)
    logits = network(torch.randn(3, *shape))
    assert logits.shape == (3, classes)
    logits.square().sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in network.parameters())


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS)
def test_parameters_are_counted_by_hand(seed):
    architecture = mlp.SPACE.sample(np.random.default_rng(seed))
    widths = [v for path, v in architecture.items() if path.endswith(".width")]
    extra = 1 if architecture["norm"] == "none" else 2  # a bias, or a scale and a shift
    expected = sum((a + extra) * b for a, b in zip([30, *widths], widths, strict=False))
    network = mlp.build(architecture, (30,), 4)
    assert sum(p.numel() for p in network.parameters()) == expected + (widths[-1] + 1) * 4


def test_dropout_acts_in_training_only():
    network = mlp.build(mlp.SPACE.architecture({**SMALLEST, "dropout": 0.3}), (30,), 4)
    inputs = torch.ones(2, 30)
    assert not torch.equal(network(inputs), network(inputs))
    network.eval()
    assert torch.equal(network(inputs), network(inputs))


def test_training_decisions_leave_the_network_alone():
    space = Space({**mlp.SPACE.tree, "training": {"lr": Float(1e-3, 1.0, log=True)}})
    architecture = space.architecture({**SMALLEST, "training.lr": 0.1})
    network = mlp.build(architecture, (30,), 4)
    assert sum(p.numel() for p in network.parameters()) == 31 * 16 + 17 * 4
    assert math.isinf(space.size)


@pytest.mark.parametrize("module", ["mlp", "mobile"])
def test_importing_loads_no_torch(module):
    code = f"import sys, search_spaces.{module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_size_is_known():
    assert mlp.SPACE.size == (5 + 5**2 + 5**3 + 5**4) * 4 * 2 * 3


def test_drawing():
    assert mlp.draw(mlp.SPACE.architecture(SMALLEST)) == "input - 16 - outputs  (Tanh)"
