"""Parameters and multiply-adds against formulas by hand and against torch's own counter."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils.rnn import pack_sequence
from torch.utils.flop_counter import FlopCounterMode

from raynas.costs import Costs, count, measure
from search_spaces import darts, mlp, mobile, nasbench201

# Each with its input and, written out, its parameters and its multiply-adds.
LAYERS = {
    "conv": (nn.Conv2d(3, 8, 3, padding=1), (3, 6, 6), 3 * 9 * 8 + 8, (3 * 9 + 1) * 8 * 36),
    "unbiased": (nn.Conv2d(3, 8, 1, bias=False), (3, 6, 6), 24, 24 * 36),
    "grouped": (nn.Conv2d(4, 8, 3, groups=2, bias=False), (4, 5, 5), 2 * 9 * 8, 2 * 9 * 8 * 9),
    "depthwise": (nn.Conv2d(4, 4, 5, groups=4, bias=False), (4, 5, 5), 100, 100),
    "strided": (nn.Conv2d(2, 3, (1, 7), (1, 2), bias=False), (2, 4, 9), 42, 42 * 4 * 2),
    "conv1d": (nn.Conv1d(2, 3, 3), (2, 10), 21, 21 * 8),
    "transposed": (nn.ConvTranspose2d(4, 6, 2, 2), (4, 5, 5), 102, 96 * 25 + 6 * 100),
    "linear": (nn.Linear(7, 5), (7,), 40, 40),
    "linear on rows": (nn.Linear(7, 5, bias=False), (4, 7), 35, 35 * 4),
    "norm": (nn.BatchNorm2d(4), (4, 3, 3), 8, 0),
    "nothing": (nn.Flatten(), (4, 3, 3), 0, 0),
    # Three gates; weights for 5 inputs and for 4 hidden values, a bias for each of both; 6 steps.
    "gru": (nn.GRU(5, 4, batch_first=True), (6, 5), 12 * (5 + 4 + 2), 6 * 12 * (5 + 4 + 2)),
    # Two layers in two directions; the second layer reads both directions of the first.
    "lstm": (
        nn.LSTM(5, 4, 2, bias=False, bidirectional=True, batch_first=True),
        (6, 5),
        2 * 16 * (5 + 4) + 2 * 16 * (8 + 4),
        6 * (2 * 16 * (5 + 4) + 2 * 16 * (8 + 4)),
    ),
    "rnn cell": (nn.RNNCell(5, 4), (5,), 4 * (5 + 4 + 2), 4 * (5 + 4 + 2)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_costs_what_the_formula_says(name):
    layer, shape, params, flops = LAYERS[name]
    assert measure(layer, torch.zeros(1, *shape)) == Costs(params, flops)


@pytest.mark.parametrize(
    ("child", "shape"),
    [
        (nn.Sequential(nn.Conv2d(3, 6, 3, 2), nn.ReLU(), nn.Conv2d(6, 4, 3, groups=2)), (3, 9, 9)),
        (nn.Sequential(nn.ConvTranspose2d(4, 6, 3, 2, groups=2), nn.Conv2d(6, 1, 1)), (4, 5, 5)),
        (nn.Sequential(nn.Flatten(), nn.Linear(12, 9), nn.Tanh(), nn.Linear(9, 2)), (3, 2, 2)),
    ],
)
def test_agrees_with_torch_which_counts_two_per_multiply_add_and_no_biases(child, shape):
    for layer in child:
        layer.register_parameter("bias", None)
    with FlopCounterMode(display=False) as counter:
        child(torch.zeros(1, *shape))
    assert 2 * measure(child, torch.zeros(1, *shape)).flops == counter.get_total_flops()


class Attended(nn.Module):
    """Attention of 7 queries on 5 keys with values of other sizes."""

    def __init__(self, **options):
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True, **options)
        self.kdim, self.vdim = self.attention.kdim, self.attention.vdim

    def forward(self, queries):
        keys, values = (queries.new_ones(1, 5, size) for size in (self.kdim, self.vdim))
        return self.attention(queries, key=keys, value=values)[0]


def test_attention_costs_its_projections():
    queries = torch.zeros(1, 7, 8)
    weights, biases = 7 * 8 * 8 * 2 + 5 * 8 * 8 * 2, 7 * 8 * 2 + 5 * 8 * 2
    assert measure(Attended(), queries).flops == weights + biases
    assert measure(Attended(bias=False), queries).flops == weights
    other = Attended(bias=False, kdim=3, vdim=4)
    assert measure(other, queries).flops == 7 * 8 * 8 * 2 + 5 * 3 * 8 + 5 * 4 * 8


def test_attention_agrees_with_torch_except_for_the_products_without_weights():
    child, queries = Attended(bias=False), torch.zeros(1, 7, 8)
    with FlopCounterMode(display=False) as counter:
        child(queries)
    by_operation = counter.get_flop_counts()["Global"]
    without_weights = sum(n for name, n in by_operation.items() if "bmm" in str(name))
    assert without_weights == 2 * 2 * 7 * 5 * 8  # queries with keys, and attention with values
    total = counter.get_total_flops() - without_weights
    assert 2 * measure(child, queries).flops == total


def test_recurrent_layers_agree_with_torch():
    for kind in (nn.RNN, nn.GRU, nn.LSTM):
        # On a CPU an LSTM is one operation of oneDNN, of which torch's counter knows nothing.
        layer = kind(5, 4, 2, bias=False, bidirectional=True, device="meta")
        with FlopCounterMode(display=False) as counter:
            layer(torch.zeros(6, 3, 5, device="meta"))
        assert 2 * measure(layer, torch.zeros(6, 3, 5)).flops == counter.get_total_flops()


def test_a_packed_sequence_has_as_many_steps_as_it_holds():
    class Packed(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.GRU(5, 4)

        def forward(self, x):
            return self.layer(pack_sequence([x[0], x[0, :2]]))[1]

    assert measure(Packed(), torch.zeros(1, 6, 5)).flops == 8 * 12 * (5 + 4 + 2)


def test_the_layers_of_a_transformer_are_all_called():
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    attention, forward = 4 * (8 * 8 + 8), 8 * 16 + 16 + 16 * 8 + 8
    assert measure(layer, torch.zeros(1, 7, 8)).flops == 7 * (attention + forward)


SPACES = {
    "mlp": (mlp, {}, (1, 8, 8)),
    "nasbench201": (nasbench201, {"channels": 4, "cells": 1}, (3, 16, 16)),
    "darts": (darts, {"channels": 4, "cells": 3}, (1, 8, 8)),
    "mobile": (mobile, {"width": 0.25}, (1, 8, 8)),
}


@pytest.mark.parametrize("space", SPACES)
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_shapes_alone_give_the_same_numbers(space, seed):
    module, options, shape = SPACES[space]
    child = module.build(module.SPACE.sample(np.random.default_rng(seed)), shape, 10, **options)
    inputs = torch.zeros(1, *shape)
    assert count._counted_without_numbers(child, inputs) == count._counted(child, inputs) > 0


def test_a_large_child_is_counted_without_memory_for_its_activations():
    class Vast(nn.Module):
        def __init__(self):
            super().__init__()
            self.wide = nn.utils.weight_norm(nn.Conv2d(1, 2**20, 1, bias=False))
            self.seen = []

        def forward(self, x):
            self.seen.append(x.device.type)
            return self.wide(x) + torch.zeros(1, 2**20, 1, 1)

    with pytest.warns(FutureWarning):
        child = Vast()
    side = 2**14  # a petabyte of activations
    vast = torch.zeros(1, 1, 1, 1).expand(1, 1, side, side)
    assert measure(child, vast).flops == 2**20 * side**2
    assert child.seen == ["cpu"]  # the copy ran on, not the child


def test_a_large_child_that_looks_at_numbers_runs_itself():
    class Looking(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(1, 2**13, bias=False)

        def forward(self, x):
            return self.layer(x) * float(x.sum())

    assert measure(Looking(), torch.ones(1, 2**10, 1)).flops == 2**23


def test_counts_every_call_of_a_shared_layer_but_its_parameters_once():
    layer = nn.Linear(5, 5)
    assert measure(nn.Sequential(layer, nn.ReLU(), layer), torch.zeros(1, 5)) == Costs(30, 60)


def test_leaves_the_child_as_it_was():
    child = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout(), nn.BatchNorm2d(2))
    child[3].eval()
    before = {name: value.clone() for name, value in child.state_dict().items()}
    state = torch.get_rng_state()
    measure(child, torch.zeros(1, 1, 5, 5))
    assert [layer.training for layer in child] == [True, True, True, False]
    assert child.training
    assert all(torch.equal(value, before[name]) for name, value in child.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)
    assert not any(layer._forward_hooks for layer in child)


def test_leaves_the_child_as_it_was_even_when_it_cannot_run():
    child = nn.Sequential(nn.Linear(3, 2))
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        measure(child, torch.zeros(1, 4))
    assert child[0].training
    assert not child[0]._forward_hooks


def test_without_an_example_only_the_parameters_are_known():
    costs = measure(nn.Linear(3, 2), None)
    assert costs == Costs(8)
    assert costs.known == {"params": 8.0}


def test_an_example_may_be_a_tree():
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two = nn.Linear(3, 2), nn.Linear(5, 2)

        def forward(self, inputs):
            return self.one(inputs["a"]) + self.two(inputs["b"])

    example = {"a": torch.zeros(1, 3), "b": torch.zeros(1, 5)}
    assert measure(Both(), example) == Costs(20, 20)


def test_importing_it_loads_no_torch():
    code = "import sys, raynas.costs; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
