import numpy as np
import pytest
import torch
from torch import nn

from raynas.errors import ConfigError
from search_spaces import tabular
from search_spaces.tabular.embeddings import Categories, Numbers, Periodic, Piecewise
from search_spaces.tabular.network import Block

BRIEF = {"input_shape": (12,), "numerical": 5, "categories": (3, 4), "outputs": 2}


def test_bins_fill_one_after_the_other():
    features = Piecewise(4)
    x = torch.linspace(-4, 4, 81).unsqueeze(1)
    filled = features(x)[:, 0]
    assert (filled.diff(dim=0) >= 0).all()
    inside = filled[:, 1:-1]
    assert inside.min() == 0
    assert inside.max() == 1
    # The outer bins have no end, so that no two numbers look the same.
    assert (filled.diff(dim=0).sum(1) > 0).all()
    # Four bins of a normal distribution meet at its quartiles.
    quartiles = torch.tensor([[-0.67449], [0.0], [0.67449]])
    expected = torch.tensor([[1.0, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0]])
    found = features(quartiles)[:, 0]
    assert torch.allclose(found[:, 1:-1], expected[:, 1:-1], atol=1e-4)
    assert torch.allclose(found[[0], [0]], torch.ones(1), atol=1e-4)
    assert torch.allclose(found[[2], [3]], torch.zeros(1), atol=1e-4)


def test_each_column_has_frequencies_and_weights_of_its_own():
    numbers = Numbers(Periodic(3, 4, 1.0), 3, 6, rectified=False)
    x = torch.randn(5, 3)
    angles = 2 * np.pi * numbers.features.frequencies[1] * x[:, 1:2]
    both = torch.cat([angles.sin(), angles.cos()], 1)
    assert torch.allclose(numbers(x)[:, 1], both @ numbers.weight[1] + numbers.bias[1], atol=1e-5)


def test_a_one_hot_block_is_an_embedding():
    layer = Categories((3, 4), 8)
    chosen = torch.tensor([2, 0, 3])
    x = torch.zeros(3, 7)
    x[torch.arange(3), 3 + chosen] = 1
    found = layer(x)
    assert torch.equal(found[:, 1], layer.embeddings[1].weight.T[chosen])
    assert not found[:, 0].any()  # no category of the first column is set


def test_attention_is_that_of_torch():
    """By what torch's own layer computes of the same weights."""
    layer = Block(8, {"heads": 2, "dropout": 0.0, "expansion": 1}, first=False)
    reference = nn.MultiheadAttention(8, 2, batch_first=True)
    parts = [layer.query, layer.key, layer.value]
    with torch.no_grad():
        reference.in_proj_weight.copy_(torch.cat([part.weight for part in parts]))
        reference.in_proj_bias.copy_(torch.cat([part.bias for part in parts]))
        reference.out_proj.load_state_dict(layer.joined.state_dict())
    x = torch.randn(3, 5, 8)
    expected, _ = reference(x, x, x)
    assert torch.allclose(layer._attention(x), expected, atol=1e-5)


@pytest.mark.parametrize(
    "columns",
    [
        {"input_shape": (4,), "numerical": 4, "categories": ()},
        {"input_shape": (7,), "numerical": 0, "categories": (3, 4)},
    ],
)
def test_tables_of_one_kind_of_column(columns):
    for seed in range(10):
        architecture = tabular.SPACE.sample(np.random.default_rng(seed))
        network = tabular.build(architecture, **columns, outputs=1)
        found = network(torch.randn(6, *columns["input_shape"]))
        assert found.shape == (6, 1)
        found.sum().backward()
        assert all(p.grad is not None for p in network.parameters())


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"input_shape": (3, 4)}, r"rows of shape \(features,\) are needed"),
        ({"numerical": 6}, "must be all features: .*numerical=6"),
        ({"categories": (7, 0)}, "sizes must be at least 1"),
        ({"outputs": 0}, "sizes must be at least 1: .*outputs=0"),
    ],
)
def test_tables_that_do_not_add_up_are_refused(change, says):
    architecture = tabular.SPACE.sample(np.random.default_rng(0))
    with pytest.raises(ConfigError, match=says):
        tabular.build(architecture, **{**BRIEF, **change})
