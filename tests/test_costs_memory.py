"""The memory of a training step against sums by hand and against torch's own profiler."""

import gc
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.profiler import ProfilerActivity, profile

from raynas.costs import training_bytes
from search_spaces import darts, mlp, mobile, nasbench201

SMALL = {
    "mlp": (mlp, {}, (1, 8, 8)),
    "nasbench201": (nasbench201, {"channels": 8, "cells": 1}, (3, 16, 16)),
    "darts": (darts, {"channels": 4, "cells": 3}, (1, 8, 8)),
    "mobile": (mobile, {"width": 0.25}, (1, 8, 8)),
}


def needed(child, shape, batch_size):
    def some(count):
        return torch.zeros(count, *shape), torch.zeros(count, dtype=torch.int64)

    return training_bytes(child, some, batch_size, cross_entropy)


def profiled(child, shape, batch_size):
    """The peak by what the allocator tells the profiler, with what was there before."""
    gc.collect()  # or tensors of other tests may be given back meanwhile
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        inputs = torch.zeros(batch_size, *shape)
        labels = torch.zeros(batch_size, dtype=torch.int64)
        cross_entropy(child(inputs), labels).backward()
    events = [one for one in seen.profiler.kineto_results.events() if one.name() == "[memory]"]
    events.sort(key=lambda one: one.start_ns())
    peak = int(np.cumsum([one.nbytes() for one in events]).max())
    parameters = sum(parameter.nbytes for parameter in child.parameters())
    return 2 * parameters + sum(buffer.nbytes for buffer in child.buffers()) + peak


@pytest.mark.parametrize("space", SMALL)
@pytest.mark.filterwarnings("ignore")  # the profiler's own, where there is no GPU
def test_agrees_with_the_profiler(space):
    module, options, shape = SMALL[space]
    for seed in range(2):
        architecture = module.SPACE.sample(np.random.default_rng(seed))
        child = module.build(architecture, shape, 10, **options)
        # What a convolution needs beside its tensors differs between processors.
        assert needed(child, shape, 32) == pytest.approx(profiled(child, shape, 32), rel=0.1)


def test_a_linear_layer_by_hand():
    features, classes, count = 50, 10, 100
    child = nn.Linear(features, classes, bias=False)
    weights = 4 * features * classes
    # Weights and momentum are there; then come examples, labels, logits and log-probabilities.
    # What backward adds is most at its end: gradients of log-probabilities, logits and weights.
    there = 2 * weights + 4 * count * features + 8 * count
    activations = 4 * count * classes
    measured = needed(child, (features,), count)
    assert there + weights + activations <= measured <= there + weights + 4 * activations + 100


def test_grows_evenly_with_the_batch_once_activations_dominate():
    child = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 4))
    sizes = [needed(child, (3, 8, 8), count) for count in (100, 200, 300)]
    assert sizes[2] - sizes[1] == sizes[1] - sizes[0] > 0


def test_what_is_kept_for_backward_is_in_it():
    kept = nn.Sequential(nn.Linear(8, 64), *(nn.Tanh() for _ in range(10)), nn.Linear(64, 4))
    without = nn.Sequential(nn.Linear(8, 64), nn.Tanh(), nn.Linear(64, 4))
    more = needed(kept, (8,), 500) - needed(without, (8,), 500)
    assert more == 9 * 4 * 64 * 500


def test_a_child_that_does_more_for_larger_batches_is_followed_through_the_whole():
    class Each(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 2)

        def forward(self, x):
            return torch.stack([self.layer(row) for row in x])

    child = Each()
    assert needed(child, (3,), 9) > needed(child, (3,), 3) > 0


def test_leaves_the_child_and_the_generators_as_they_were():
    child = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(), nn.Linear(4, 2))
    child.eval()
    before = {name: value.clone() for name, value in child.state_dict().items()}
    state = torch.get_rng_state()
    needed(child, (3,), 8)
    assert all(torch.equal(value, before[name]) for name, value in child.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)
    assert not any(layer.training for layer in child)
    assert all(parameter.grad is None for parameter in child.parameters())


def test_loads_no_compiler():
    code = (
        "import sys, torch; from torch import nn; from raynas.costs import training_bytes\n"
        "def some(count): return torch.zeros(count, 3), torch.zeros(count, dtype=torch.int64)\n"
        "training_bytes(nn.Linear(3, 2), some, 4, nn.functional.cross_entropy)\n"
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_it_is_measured_and_below_the_estimate_in_float32():
    child = nn.Sequential(
        nn.Conv2d(3, 64, 3), nn.ReLU(), nn.Conv2d(64, 64, 3), nn.Flatten(), nn.Linear(64 * 144, 4)
    )
    estimate = needed(child, (3, 16, 16), 256)
    assert 0.3 * estimate < needed(child.to("cuda"), (3, 16, 16), 256) < 1.5 * estimate
