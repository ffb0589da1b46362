"""Parameters and multiply-adds against formulas by hand and against torch's own counter."""

import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from raynas.costs import Costs, measure

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
