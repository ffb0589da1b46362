import numpy as np
import pytest
import torch

from raynas.errors import ConfigError
from raynas.rng import seed_weights
from search_spaces import decoder
from search_spaces.decoder.network import Rotary

PLAIN = {
    "depth": 2,
    "width": 32,
    "heads": 2,
    "feed_forward.ratio": 2,
    "feed_forward.activation": "gelu",
    "norm.kind": "layer",
    "norm.place": "pre",
    "position": "learned",
    "tied": False,
    "dropout": 0.0,
}


def built(**changes):
    return decoder.build(decoder.SPACE.architecture({**PLAIN, **changes}), vocabulary=9, length=6)


def parameters(network):
    return sum(parameter.numel() for parameter in network.parameters())


def test_the_parts_are_counted_by_hand():
    layer = 4 * (32 * 32 + 32) + (32 * 64 + 64) + (64 * 32 + 32) + 4 * 32
    assert parameters(built()) == 2 * layer + 2 * 32 + (9 + 6 + 9) * 32
    assert parameters(built(tied=True)) == parameters(built()) - 9 * 32
    assert parameters(built(position="rotary")) == parameters(built()) - 6 * 32
    assert parameters(built(**{"norm.place": "post"})) == parameters(built()) - 2 * 32
    assert parameters(built(**{"norm.kind": "rms"})) == parameters(built()) - 5 * 32


def test_gated_and_plain_feed_forward_parts_are_about_as_large():
    plain, gated = (
        parameters(built(**{"feed_forward.activation": name, "feed_forward.ratio": 4}))
        for name in ("relu_squared", "swiglu")
    )
    assert gated == pytest.approx(plain, rel=0.02)


def test_rotary_positions_see_distances_only():
    """Products of two turned vectors depend on how far apart they stand, not on where."""
    rotary = Rotary(8, 12)
    query, key = torch.randn(8), torch.randn(8)
    one = rotary(query.expand(1, 1, 12, 8))[0, 0] @ rotary(key.expand(1, 1, 12, 8))[0, 0].T
    for distance in range(-11, 12):
        diagonal = one.diagonal(distance)
        assert torch.allclose(diagonal, diagonal[:1].expand_as(diagonal), atol=1e-4)
    assert one[0].std() > 0


@pytest.mark.parametrize("position", ["learned", "rotary"])
def test_positions_matter(position):
    """Of several layers without positions, only the first sees a set."""
    seed_weights(0)
    with_them, without = built(depth=1, position=position), built(depth=1, position="none")
    # Several texts, because a head may look at one place only.
    ids = torch.stack([torch.randperm(9)[:4] for _ in range(16)])
    swapped = ids[:, [1, 0, 2, 3]]
    # Only what differs in the last place can come from the order of the first two.
    for network, differs in ((with_them, True), (without, False)):
        for parameter in network.parameters():
            parameter.data *= 5  # small first weights hide it
        one, other = (network(each)[:, -1] for each in (ids, swapped))
        assert torch.allclose(one, other, atol=1e-5) != differs


def test_the_shorter_text_is_the_beginning_of_the_longer():
    for seed in range(6):
        architecture = decoder.SPACE.sample(np.random.default_rng(seed))
        network = decoder.build(architecture, vocabulary=9, length=6).eval()
        ids = torch.randint(9, (2, 6))
        assert torch.allclose(network(ids)[:, :4], network(ids[:, :4]), atol=1e-5)


def test_first_outputs_are_almost_uniform():
    """So the first loss is that of a guess, for every kind of part."""
    for seed in range(12):
        architecture = decoder.SPACE.sample(np.random.default_rng(seed))
        network = decoder.build(architecture, vocabulary=50, length=16).eval()
        chances = network(torch.randint(50, (4, 16))).softmax(-1)
        entropy = -(chances * chances.log()).sum(-1).mean()
        assert entropy > 0.97 * np.log(50)


def test_sizes_below_one_are_refused():
    with pytest.raises(ConfigError, match="sizes must be at least 1: vocabulary=0, length=6"):
        decoder.build(decoder.SPACE.architecture(PLAIN), vocabulary=0, length=6)
