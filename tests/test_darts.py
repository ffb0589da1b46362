"""DARTS cells: against published sizes, and by their properties."""

import re
import subprocess
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given, settings
from hypothesis import strategies as st

from raynas.costs import measure
from raynas.errors import ConfigError, SpaceError
from raynas.space import Architecture
from search_spaces.darts import (
    GENOTYPES,
    SPACE,
    Genotype,
    build,
    draw,
    from_genotype,
    network,
    to_genotype,
)
from search_spaces.darts.operations import DropPath, FactorizedReduce
from search_spaces.darts.stack import Cell, Place

CIFAR = (3, 32, 32)
IMAGENET = (3, 224, 224)
SEARCHABLE = ("DARTS_V1", "DARTS_V2")

seeds = st.integers(0, 2**32 - 1)


@st.composite
def architectures(draw_from) -> Architecture:
    """Draw a pair of cells that was sampled, mutated or crossed."""
    rng = np.random.default_rng(draw_from(seeds))
    one, other = SPACE.sample(rng), SPACE.sample(rng)
    return draw_from(
        st.sampled_from((one, SPACE.mutate(one, rng), SPACE.crossover(one, other, rng)))
    )


def params(child: torch.nn.Module) -> int:
    return sum(weights.numel() for weights in child.parameters())


def test_the_network_of_darts_v2_has_the_published_size():
    assert params(network(GENOTYPES["DARTS_V2"], CIFAR, 10, channels=36, cells=20)) == 3_349_342


@pytest.mark.parametrize(
    ("name", "images", "channels", "cells", "millions"),
    [
        # Table 1 of the paper; marked there as trained in its own setup. NASNet-A reaches its
        # size at the width of its own paper (32; 3.8 million at 36).
        ("DARTS_V2", CIFAR, 36, 20, 3.3),
        ("AmoebaNet-A", CIFAR, 36, 20, 3.1),
        ("NASNet-A", CIFAR, 32, 20, 3.1),
        # Table 3.
        ("DARTS_V2", IMAGENET, 48, 14, 4.7),
    ],
)
def test_networks_have_the_published_millions(name, images, channels, cells, millions):
    classes = 1000 if images == IMAGENET else 10
    child = network(GENOTYPES[name], images, classes, channels=channels, cells=cells)
    assert round(params(child) / 1e6, 1) == millions


def by_hand(genotype: Genotype, channels: int, cells: int) -> int:
    """Count the parameters of the published network for CIFAR-10, without building it."""

    def edge(name: str, c: int, stride: int) -> int:
        if name in ("none", "max_pool_3x3", "avg_pool_3x3"):
            return 0
        if name == "skip_connect":
            return 0 if stride == 1 else c * c + 2 * c
        if name == "conv_7x1_1x7":
            return 14 * c * c + 2 * c
        depthwise = int(name[-1]) ** 2 * c + c * c + 2 * c
        return depthwise * (2 if name.startswith("sep") else 1)

    before = now = 3 * channels
    total, c = 3 * 9 * now + 2 * now, channels
    for i in range(cells):
        reduces = i in (cells // 3, 2 * cells // 3)
        c *= 2 if reduces else 1
        edges = genotype.reduce if reduces else genotype.normal
        concat = genotype.reduce_concat if reduces else genotype.normal_concat
        total += (before + now) * c + 4 * c
        total += sum(edge(name, c, 2 if reduces and node < 2 else 1) for name, node in edges)
        before, now = now, len(concat) * c
    return total + now * 10 + 10


@pytest.mark.parametrize("name", GENOTYPES)
@pytest.mark.parametrize(("channels", "cells"), [(36, 20), (8, 5), (5, 1)])
def test_sizes_agree_with_a_count_by_hand(name, channels, cells):
    child = network(GENOTYPES[name], CIFAR, 10, channels=channels, cells=cells)
    assert params(child) == by_hand(GENOTYPES[name], channels, cells)


def test_the_space_has_the_published_number_of_cells():
    """Count as the paper does, which says about 10^18: equal graphs are not left out."""
    assert SPACE.size == (1 * 3 * 6 * 10 * 7**8) ** 2


@settings(deadline=None)
@given(one=architectures())
def test_a_genotype_leads_back_to_the_architecture(one):
    assert from_genotype(to_genotype(one)) == one


@pytest.mark.parametrize("name", SEARCHABLE)
def test_published_cells_lie_in_the_space(name):
    genotype, one = GENOTYPES[name], from_genotype(GENOTYPES[name])
    assert SPACE.architecture(one) == one
    for cell, edges in (("normal", genotype.normal), ("reduce", genotype.reduce)):
        mine = getattr(to_genotype(one), cell)
        for i in range(0, 8, 2):
            assert set(mine[i : i + 2]) == set(edges[i : i + 2])


@pytest.mark.parametrize("name", ["NASNet-A", "AmoebaNet-A"])
def test_cells_that_are_not_searched_are_refused(name):
    with pytest.raises(SpaceError, match=re.escape("got 5 nodes")):
        from_genotype(GENOTYPES[name])


def test_a_node_that_reads_another_twice_is_refused():
    v2 = GENOTYPES["DARTS_V2"]
    twice = (*v2.normal[:6], ("sep_conv_3x3", 2), ("skip_connect", 2))
    with pytest.raises(SpaceError, match="node 5 of normal must read two nodes, got 2 twice"):
        from_genotype(Genotype(twice, v2.normal_concat, v2.reduce, v2.reduce_concat))


@pytest.mark.parametrize(
    ("edges", "concat", "message"),
    [
        ([("sep_conv_3x3", 0)], [2], "two edges per node, got 1"),
        ([("sep_conv_3x3", 0), ("sep_conv_3x4", 1)], [2], "did you mean 'sep_conv_3x3'"),
        ([("sep_conv_3x3", 0), ("skip_connect", 2)], [2], "reads node 2, which must be in 0..1"),
        ([("sep_conv_3x3", 0), ("skip_connect", 1)], [3], "has node 3, which must be in 0..2"),
        ([("sep_conv_3x3", 0), ("skip_connect", 1)], [], "must name at least one node"),
    ],
)
def test_a_genotype_that_cannot_be_is_refused(edges, concat, message):
    with pytest.raises(SpaceError, match=message):
        Genotype(edges, concat, [("none", 0), ("none", 1)], range(2, 3))


def test_the_numbers_of_nodes_do_not_matter():
    edges = GENOTYPES["DARTS_V2"].reduce
    # Nodes 2 and 3 change places; so must those who read them.
    straight = (*edges[:2], ("sep_conv_3x3", 0), ("skip_connect", 1))
    crossed = (("sep_conv_3x3", 0), ("skip_connect", 1), *edges[:2])
    tails = [
        (("sep_conv_5x5", node), ("max_pool_3x3", 0), ("skip_connect", 4), ("skip_connect", node))
        for node in (2, 3)
    ]
    first, second, third = (
        SPACE.identity(from_genotype(Genotype(cell, range(2, 6), edges, range(2, 6))))
        for cell in (straight + tails[0], crossed + tails[1], straight + tails[1])
    )
    assert first == second
    assert first != third


@settings(max_examples=50, deadline=None)
@given(one=architectures(), seed=seeds)
def test_identity_sees_through_any_renumbering(one, seed):
    genotype, rng = to_genotype(one), np.random.default_rng(seed)
    normal, reduce = (renumbered(cell, rng) for cell in (genotype.normal, genotype.reduce))
    other = from_genotype(Genotype(normal, range(2, 6), reduce, range(2, 6)))
    assert SPACE.identity(other) == SPACE.identity(one)
    costs = [
        measure(build(each, (1, 8, 8), 2, channels=2, cells=2), torch.zeros(1, 1, 8, 8))
        for each in (one, other)
    ]
    assert costs[0] == costs[1]


def renumbered(edges, rng):
    """Place the nodes of a cell in another possible order, both edges of each in any order."""
    pairs = {2 + i // 2: edges[i : i + 2] for i in range(0, len(edges), 2)}
    number, result = {0: 0, 1: 1}, []
    while pairs:
        ready = [n for n, pair in pairs.items() if all(source in number for _, source in pair)]
        node = int(rng.choice(ready))
        pair = [(name, number[source]) for name, source in pairs.pop(node)]
        number[node] = len(number)
        result += [pair[i] for i in rng.permutation(2)]
    return result


@settings(max_examples=20, deadline=None)
@given(one=architectures(), drop_path=st.sampled_from((0.0, 0.3)))
def test_any_architecture_trains(one, drop_path):
    child = build(one, (1, 8, 8), 10, channels=4, cells=3, drop_path=drop_path)
    logits = child(torch.randn(2, 1, 8, 8))
    assert logits.shape == (2, 10)
    F.cross_entropy(logits, torch.tensor([1, 7])).backward()
    assert all(weights.grad.isfinite().all() for weights in child.parameters())


@pytest.mark.parametrize("name", GENOTYPES)
@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 28, 28), (2, 7, 5), (1, 1, 1), (3, 128, 130)])
def test_any_image_size_will_do(name, shape):
    child = network(GENOTYPES[name], shape, 3, channels=2, cells=4).eval()
    assert child(torch.randn(2, *shape)).shape == (2, 3)


@settings(max_examples=20, deadline=None)
@given(one=architectures(), reduces=st.booleans())
def test_a_cell_computes_the_sum_of_its_edges(one, reduces):
    check_cell(to_genotype(one), reduces=reduces)


@pytest.mark.parametrize("reduces", [True, False])
@pytest.mark.parametrize("name", GENOTYPES)
def test_a_published_cell_computes_the_sum_of_its_edges(name, reduces):
    check_cell(GENOTYPES[name], reduces=reduces)


def check_cell(genotype: Genotype, *, reduces: bool) -> None:
    cell = Cell(genotype, Place(3, 5, 4, reduces, halved=False), drop_path=0).double()
    before = torch.rand(2, 3, 6, 6, dtype=torch.float64, requires_grad=True)
    now = torch.rand(2, 5, 6, 6, dtype=torch.float64, requires_grad=True)
    values = [cell.fit_before(before), cell.fit_now(now)]
    terms = []
    for edge, step in zip(cell.edges, cell.operations.values(), strict=True):
        plain = isinstance(step, torch.nn.Identity | torch.nn.MaxPool2d | torch.nn.AvgPool2d)
        terms.append(step(values[edge.source] if plain else F.relu(values[edge.source])))
        if len(terms) == 2:
            values.append(terms[0] + terms[1])
            terms = []
    expected = torch.cat([values[node] for node in cell.concat], 1)
    actual = cell(before, now)
    torch.testing.assert_close(actual, expected)
    weights = torch.randn_like(expected)
    inputs = (before, now)
    torch.testing.assert_close(
        torch.autograd.grad((actual * weights).sum(), inputs),
        torch.autograd.grad((expected * weights).sum(), inputs),
    )


@pytest.mark.parametrize("size", [(6, 8), (5, 7), (1, 1)])
def test_halving_reads_every_pixel_once(size):
    step = FactorizedReduce(1, 2).eval()
    torch.nn.init.ones_(step.even.weight)
    torch.nn.init.ones_(step.odd.weight)
    step.norm.eps = 1e-30  # torch 2.11 refuses zero
    x = torch.arange(1.0, 1 + size[0] * size[1]).reshape(1, 1, *size)
    even, odd = step(x)[0]
    torch.testing.assert_close(even, x[0, 0, ::2, ::2])
    assert odd.shape == even.shape
    torch.testing.assert_close(odd[: size[0] // 2, : size[1] // 2], x[0, 0, 1::2, 1::2])
    assert odd.sum() == x[0, 0, 1::2, 1::2].sum()


def test_drop_path_drops_whole_examples_and_keeps_the_mean():
    x = torch.rand(4000, 2, 2, 2, generator=torch.Generator().manual_seed(0)) + 1
    step = DropPath(0.25)
    factors = (step(x) / x).flatten(1)
    torch.testing.assert_close(factors, factors[:, :1].expand_as(factors))
    assert {round(value, 4) for value in factors[:, 0].tolist()} == {0.0, 1.3333}
    # Five standard deviations of the mean of 4,000 draws.
    assert abs(factors.mean() - 1) < 5 * (0.25 / 0.75 / 4000) ** 0.5
    assert step.eval()(x) is x


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((64,), {}),
        (CIFAR, {"channels": 0}),
        (CIFAR, {"cells": 0}),
        (CIFAR, {"drop_path": 1.0}),
        (CIFAR, {"drop_path": float("nan")}),
    ],
)
def test_what_cannot_be_built_is_refused(shape, options):
    with pytest.raises(ConfigError, match=r"input_shape=|drop_path < 1 must hold"):
        network(GENOTYPES["DARTS_V2"], shape, 10, **options)


def test_draws_both_cells():
    lines = draw(from_genotype(GENOTYPES["DARTS_V2"])).splitlines()
    assert lines[4] == "  node 5 = skip_connect(input 0) + dil_conv_3x3(node 2)"
    assert lines[9] == "  node 5 = max_pool_3x3(input 1) + skip_connect(node 2)"
    assert len(lines) == 10


def test_importing_the_space_loads_no_torch():
    code = "import sys, search_spaces.darts; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
