import numpy as np
import pytest
import torch

from raynas.errors import ConfigError
from search_spaces import series
from search_spaces.series.bodies import CausalBlock, Convolution
from search_spaces.series.decisions import body as body_of

CONVOLUTION = {
    "linear": "mean",
    "body": "convolution",
    "body.convolution.width": 16,
    "body.convolution.dropout": 0.0,
    "body.convolution.blocks": 2,
    "body.convolution.blocks.0.kernel": 3,
    "body.convolution.blocks.1.kernel": 3,
}


def built(architecture, length=20, outputs=3):
    return series.build(architecture, input_shape=(length, 2), outputs=outputs)


def sampled(**wanted):
    """Architectures with these decisions."""
    rng = np.random.default_rng(0)
    while True:
        architecture = series.SPACE.sample(rng)
        if wanted.items() <= dict(architecture).items():
            yield architecture


@pytest.mark.parametrize("body", ["dense", "convolution", "recurrence", "attention"])
@pytest.mark.parametrize("linear", ["mean", "last", "layer"])
def test_a_shift_of_feature_0_shifts_the_forecast_and_a_factor_scales_it(body, linear):
    """This is what the normalisation of windows is for: levels never seen in training."""
    for architecture, _ in zip(sampled(body=body, linear=linear), range(3), strict=False):
        network = built(architecture).eval()
        x = torch.randn(4, 20, 2)
        shifted = x.clone()
        shifted[:, :, 0] += 7
        assert torch.allclose(network(shifted), network(x) + 7, atol=1e-4)
        scaled = x.clone()
        scaled[:, :, 0] *= 3
        assert torch.allclose(network(scaled), network(x) * 3, atol=1e-4)
        shifted = x.clone()
        shifted[:, :, 1] += 7
        assert not torch.allclose(network(shifted), network(x) + 7, atol=1e-4)


def test_the_linear_part_alone_is_nlinear_in_deviations_of_the_window():
    network = built(next(sampled(linear="layer"))).eval()
    for parameter in network.own.parameters():
        parameter.data.zero_()
    x = torch.randn(4, 20, 2)
    last, scale = x[:, -1:, 0], x[:, :, 0].std(1, keepdim=True, correction=0)
    expected = network.linear((x[:, :, 0] - last) / scale) * scale + last
    assert torch.allclose(network(x), expected, atol=1e-5)


def test_convolutions_see_the_past_only():
    block = CausalBlock(4, kernel=3, dilation=2, dropout=0.0)
    x = torch.randn(1, 4, 20)
    changed = x.clone()
    changed[:, :, 9] += 1
    moved = (block(changed) != block(x)).any(1)[0].nonzero().flatten().tolist()
    assert min(moved) == 9
    assert max(moved) <= 9 + 2 * 4  # two convolutions, each over two steps of two


def test_how_far_a_network_of_convolutions_sees():
    """Each block sees twice (kernel - 1) times its dilation further."""
    _, decided = body_of(series.SPACE.architecture(CONVOLUTION))
    network = Convolution(decided, 2, 1)
    x = torch.randn(1, 30, 2, requires_grad=True)
    network(x).sum().backward()
    seen = x.grad.abs().sum(2)[0].nonzero().flatten()
    assert seen.min() >= 30 - 1 - 2 * 2 * (1 + 2)


@pytest.mark.parametrize("length", [1, 3, 17])
def test_lengths_that_no_patch_divides(length):
    for body in ("convolution", "recurrence", "attention"):
        network = built(next(sampled(body=body)), length)
        found = network(torch.randn(4, length, 2))
        assert found.shape == (4, 3)
        found.sum().backward()
        assert all(p.grad is not None for p in network.parameters())


@pytest.mark.parametrize("body", ["convolution", "recurrence", "attention"])
def test_the_last_value_matters(body):
    network = built(next(sampled(body=body, linear="mean"))).eval()
    x = torch.randn(2, 20, 2)
    changed = x.clone()
    changed[:, -1] += 1
    assert not torch.allclose(network(changed), network(x))


@pytest.mark.parametrize(
    ("brief", "says"),
    [
        ({"input_shape": (20,), "outputs": 1}, r"series of shape \(length, features\) are needed"),
        ({"input_shape": (20, 2), "outputs": 0}, "sizes must be at least 1: .*outputs=0"),
    ],
)
def test_what_is_no_series_is_refused(brief, says):
    with pytest.raises(ConfigError, match=says):
        series.build(next(sampled()), **brief)
