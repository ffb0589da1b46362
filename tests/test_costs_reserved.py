"""The memory that a GPU would reserve, without a GPU."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from raynas.costs import GPUTraining, training_bytes
from raynas.costs.reserved import after_training
from raynas.costs.unwritten import LooksAtNumbersError
from raynas.execution import step_memory
from raynas.training.examples import _AT_ONCE_GPU
from search_spaces import darts, mlp, mobile, nasbench201

BARE = GPUTraining(workspace=0, beside=0)
MIB = 2**20
SPACES = {
    "mlp": (mlp, {}, (1, 8, 8)),
    "nasbench201": (nasbench201, {"channels": 8, "cells": 1}, (3, 16, 16)),
    "darts": (darts, {"channels": 4, "cells": 3}, (1, 8, 8)),
    "mobile": (mobile, {"width": 0.25}, (1, 8, 8)),
}


def some(*shape):
    def batch(count):
        return torch.zeros(count, *shape), torch.zeros(count, dtype=torch.int64)

    return batch


def followed(child, shape, count, gpu=BARE, loss=cross_entropy):
    return after_training(child, some(*shape)(2), count, loss, gpu).usual


# What tracking on a CPU gave over what an H100 held in its first step, of three random networks.
@pytest.mark.parametrize(
    ("module", "count", "ratios"),
    [(nasbench201, 256, (1.98, 1.97, 1.91)), (darts, 96, (1.82, 1.84, 1.73))],
)
def test_what_is_held_is_what_an_h100_held(module, count, ratios):
    rng, shape = np.random.default_rng(5), (3, 32, 32)
    for ratio in ratios:
        child = module.build(module.SPACE.sample(rng), shape, 10)
        tracked = training_bytes(child, some(*shape), count, cross_entropy)
        held = followed(child, shape, count).most_held
        assert tracked / held == pytest.approx(ratio, rel=0.015)


@pytest.mark.parametrize("space", SPACES)
def test_in_float32_it_holds_what_is_tracked_on_a_cpu(space):
    module, options, shape = SPACES[space]
    for seed in range(2):
        child = module.build(
            module.SPACE.sample(np.random.default_rng(seed)), shape, 10, **options
        )
        held = followed(child, shape, 256, GPUTraining(bfloat16=False, workspace=0)).most_held
        # Blocks are rounded up, which matters where there are many small ones.
        tracked = training_bytes(child, some(*shape), 256, cross_entropy)
        assert 0.99 * tracked < held < 1.05 * tracked + MIB


@pytest.mark.parametrize("space", SPACES)
def test_a_child_without_numbers_needs_the_same(space):
    module, options, shape = SPACES[space]
    architecture = module.SPACE.sample(np.random.default_rng(0))
    with torch.device("meta"):
        child = module.build(architecture, shape, 10, **options)
    real = module.build(architecture, shape, 10, **options)
    one, other = followed(child, shape, 64), followed(real, shape, 64)
    assert (one.most_held, one.reserved) == (other.most_held, other.reserved)


def test_a_linear_layer_by_hand():
    child = nn.Linear(2**10, 2**10, bias=False)  # 4 MiB in float32, 2 in bfloat16
    held = followed(child, (2**10,), 2**11).most_held
    # Weight, momentum and gradient; inputs of 8 MiB, once more in bfloat16; targets.
    there = (4 + 4) * MIB + (8 + 4) * MIB + 2**11 * 8
    logits = 2**11 * 2**10 * 4  # in float32: cross-entropy on CUDA is not taken in bfloat16
    assert there + logits < held < there + 4 * logits


def test_more_moments_workspaces_and_scoring_need_more():
    child, shape = (
        nn.Sequential(nn.Conv2d(3, 256, 3), nn.Flatten(), nn.Linear(9216, 256)),
        (3, 8, 8),
    )
    usual = followed(child, shape, 8)
    weights = 4 * 9216 * 256
    more = followed(child, shape, 8, GPUTraining(moments=3, workspace=0))
    assert more.most_held - usual.most_held >= 2 * weights
    # Matrices are multiplied in two threads.
    spacious = followed(child, shape, 8, GPUTraining(workspace=32 * MIB))
    assert spacious.reserved - usual.reserved == 64 * MIB
    scored = followed(child, shape, 8, GPUTraining(scored=4096, workspace=0))
    assert scored.reserved - usual.reserved >= 4096 * 9216 * 2
    beside = training_bytes(child, some(*shape), 8, cross_entropy, GPUTraining(beside=7 * MIB))
    assert beside == followed(child, shape, 8, GPUTraining()).reserved + 7 * MIB


def test_recordings_reserve_what_a_step_needs_beside_weights_once_more():
    child, shape = nn.Sequential(nn.Flatten(), nn.Linear(2**12, 2**10)), (2**12,)
    own = some(*shape)(2), 2**12, cross_entropy
    plain, recorded, scored = (
        after_training(child, *own, GPUTraining(workspace=0, recorded=graphs, scored=count))
        for graphs, count in ((False, 0), (True, 0), (True, 2**14))
    )
    assert plain.pool.reserved == 0
    assert recorded.usual.reserved == plain.usual.reserved == plain.reserved
    assert recorded.reserved == plain.reserved + recorded.pool.reserved
    weights = 2 * 4 * 2**22  # and momentum, which stay where they are
    assert recorded.pool.most_held == pytest.approx(plain.usual.most_held - weights, rel=0.01)
    assert scored.pool.reserved > recorded.pool.reserved
    total = training_bytes(child, some(*shape), 2**12, cross_entropy, GPUTraining(recorded=True))
    assert total > recorded.reserved


def test_the_second_step_uses_what_the_first_has_left():
    child = nn.Sequential(*(nn.Conv2d(8, 8, 3, padding=1) for _ in range(9)))
    loss = lambda outputs, targets: outputs.sum()  # noqa: ARG005, E731
    seen = followed(child, (8, 32, 32), 512, loss=loss)
    assert seen.most_held <= seen.reserved < 1.25 * seen.most_held


def test_no_memory_is_needed_here():
    child = nn.Sequential(*(nn.Linear(2**10, 2**10) for _ in range(2**8)))
    held = followed(child, (2**10,), 2**20).most_held
    assert held > 2**8 * 2**31  # half a terabyte


def test_a_child_that_looks_at_numbers_is_tracked_on_a_cpu():
    class Looking(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 2)

        def forward(self, x):
            return self.layer(x) * float(x.sum())

    gpu = GPUTraining(workspace=MIB, beside=MIB)
    plain = training_bytes(Looking(), some(3), 8, cross_entropy)
    assert training_bytes(Looking(), some(3), 8, cross_entropy, gpu) == plain + 3 * MIB
    with pytest.raises(LooksAtNumbersError):
        training_bytes(Looking().to("meta"), some(3), 8, cross_entropy, gpu)


def test_shapes_may_change_in_place():
    class Changed(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.LSTM(3, 2, batch_first=True)

        def forward(self, x):
            return self.layer(x.clone().unsqueeze_(1).expand(-1, 5, -1))[0][:, -1]

    assert followed(Changed(), (3,), 64).most_held > 0


def test_leaves_the_child_and_the_generators_as_they_were():
    class Caching(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm, self.layer, self.ones = nn.BatchNorm1d(3), nn.Linear(3, 2), None

        def forward(self, x):
            self.ones = torch.ones_like(x) if self.ones is None else self.ones
            return self.layer(nn.functional.dropout(self.norm(x * self.ones[: len(x)])))

    child = Caching().eval()
    before = {name: value.clone() for name, value in child.state_dict().items()}
    state = torch.get_rng_state()
    followed(child, (3,), 8)
    assert all(torch.equal(value, before[name]) for name, value in child.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)
    assert child.ones is None
    assert not child.training
    assert all(parameter.grad is None for parameter in child.parameters())


def test_as_many_are_scored_at_once_as_in_training():
    assert step_memory._SCORED == _AT_ONCE_GPU
