import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from raynas.errors import ConfigError
from raynas.experiment.resolve.briefs import builder
from raynas.experiment.resolve.references import find_space
from raynas.searchers.predictor.encoding import paths
from search_spaces import textnas
from search_spaces.textnas import published
from search_spaces.textnas.layers import OPERATIONS, from_numbers, steps
from search_spaces.textnas.operations import Attention, BidirectionalGRU, operation, turn

BRIEF = {"vocabulary": 11, "length": 8, "outputs": 4}


def masked(lengths, length=7):
    return (torch.arange(length) < torch.tensor(lengths).unsqueeze(1)).unsqueeze(1).float()


def test_the_size_is_that_of_the_paper():
    """Eight operations, one of at most five layers to read, any skips: for 24 layers."""
    assert published.SPACE.size == 8**24 * (2 * 3 * 4 * 5**19) * 2 ** (24 * 23 // 2)


def test_the_published_architecture():
    """Some layers by hand, from the figures of the paper's code."""
    found = steps(published.PUBLISHED["SST-5"])
    assert len(found) == 24
    assert (found[0].operation, found[0].source, found[0].skips) == ("max_pool3", -1, ())
    assert (found[1].operation, found[1].source, found[1].skips) == ("attention", 0, ())
    assert (found[3].operation, found[3].source, found[3].skips) == ("gru", 2, (1, 2))
    assert (found[7].operation, found[7].source, found[7].skips) == ("gru", 2, (1, 2))
    assert (found[23].operation, found[23].source) == ("conv7", 21)
    network = published.build(published.PUBLISHED["SST-5"], **BRIEF)
    ids = torch.randint(1, 11, (4, 8))
    network(ids).square().sum().backward()
    assert all(p.grad is not None for p in network.parameters())
    assert len(published.draw(published.PUBLISHED["SST-5"]).splitlines()) == 24


def test_numbers_are_read_as_the_papers_code_reads_them():
    """It reads the last layer where the number points before the first."""
    values = from_numbers("0 0\n1 6 1\n1 2 0 1")
    assert values["layer_2.back"] == 2
    assert "layer_1.back" not in values
    assert values["layer_1.skip_0"] is True
    assert from_numbers("0 0\n1 6 1\n4 2 0 1")["layer_2.back"] == 1


@pytest.mark.parametrize("name", OPERATIONS)
def test_padding_has_no_influence(name):
    own = operation(name, 8, 0.5).eval()
    mask = masked([5, 7, 1])
    x = torch.randn(3, 8, 7) * mask
    found = own(x, mask)
    assert found.shape == x.shape
    assert not (found * (1 - mask)).any()
    shorter = own(x[:1, :, :5], mask[:1, :, :5])
    assert torch.allclose(shorter, found[:1, :, :5], atol=1e-5)


@torch.no_grad()
def test_the_gru_is_torchs_on_packed_texts():
    own = BidirectionalGRU(8, 0.0)
    reference = nn.GRU(8, 8, batch_first=True, bidirectional=True)
    for name, parameter in own.forwards.named_parameters():
        reference.get_parameter(name).copy_(parameter)
    for name, parameter in own.backwards.named_parameters():
        reference.get_parameter(f"{name}_reverse").copy_(parameter)
    lengths = [5, 7, 1]
    mask = masked(lengths)
    x = torch.randn(3, 8, 7) * mask
    packed = pack_padded_sequence(
        x.transpose(1, 2), lengths, batch_first=True, enforce_sorted=False
    )
    outputs, _ = pad_packed_sequence(reference(packed)[0], batch_first=True)
    expected = outputs.unflatten(2, (2, 8)).sum(2).transpose(1, 2)
    assert torch.allclose(own(x, mask), expected, atol=1e-5)


def test_turning_twice_is_the_same():
    mask = masked([4, 0, 7])
    places = turn(mask)
    assert places[0].tolist() == [3, 2, 1, 0, 4, 5, 6]
    assert places[1].tolist() == list(range(7))
    assert torch.equal(places.gather(1, places), torch.arange(7).expand(3, -1))


def test_attention_weighs_words_only():
    attention = Attention(8, 0.0).eval()
    mask = masked([5])
    x = torch.randn(1, 8, 7)
    changed = x.clone()
    changed[:, :, 5:] += 3
    assert torch.allclose(attention(x, mask), attention(changed, mask), atol=1e-6)


def test_a_text_of_padding_has_an_answer():
    for seed in range(5):
        architecture = textnas.SPACE.sample(np.random.default_rng(seed))
        network = textnas.build(architecture, **BRIEF)
        ids = torch.randint(1, 11, (3, 8))
        ids[1] = 0
        found = network(ids)
        found.sum().backward()
        assert found.isfinite().all()
        assert all(p.grad.isfinite().all() for p in network.parameters())


def test_more_padding_changes_no_answer():
    for seed in range(8):
        architecture = textnas.SPACE.sample(np.random.default_rng(seed))
        network = textnas.build(architecture, **BRIEF)
        ids = torch.randint(1, 11, (6, 8))
        network(ids)
        network.eval()
        longer = torch.cat([ids, torch.zeros(6, 3, dtype=ids.dtype)], 1)
        assert torch.allclose(network(longer), network(ids), atol=1e-5)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"width": 6}, "must be a multiple of the 4 heads, got width=6"),
        ({"outputs": 0}, "sizes must be at least 1: .*outputs=0"),
        ({"dropout": -0.1}, "0 <= dropout < 1 must hold, got -0.1"),
    ],
)
def test_unusable_options_are_refused(options, says):
    architecture = textnas.SPACE.sample(np.random.default_rng(0))
    with pytest.raises(ConfigError, match=says):
        textnas.build(architecture, **{**BRIEF, **options})


def test_all_layers_of_the_paper_are_built():
    space, rng = published.SPACE, np.random.default_rng(0)
    architecture = space.sample(rng)
    for _ in range(3):
        network = published.build(architecture, **BRIEF)
        assert network(torch.randint(1, 11, (4, 8))).isfinite().all()
        assert len(paths(space.graph(architecture))) == 24  # one ends with each layer
        architecture = space.mutate(architecture, rng)


def test_the_paper_is_found_by_name_and_told_what_a_task_offers():
    found = find_space("search_spaces.textnas.published", {"width": 16})
    build = builder(found.build, {"width": 16}, {**BRIEF, "input_shape": (8,)})
    assert build(published.PUBLISHED["SST-5"]).outputs.weight.shape == (4, 16)
