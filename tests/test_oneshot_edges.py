"""The weights of edges in PC-DARTS, against cells that are written by hand."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from raynas.errors import SpaceError
from raynas.oneshot.loop import method_of
from raynas.oneshot.mixed import MixedSupernet
from raynas.oneshot.mixture import Only
from raynas.oneshot.relaxation import plain
from raynas.rng import seed_weights
from search_spaces import darts, nasbench201
from search_spaces.darts.relaxed import NONE, OPTIONS
from search_spaces.nasbench201 import small

IMAGES = torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def supernet_of(module, share, **sizes):
    seed_weights(0)
    build = partial(module.build, input_shape=(1, 8, 8), outputs=5, **sizes)
    return MixedSupernet(build, module.SPACE, module.RELAXATION, share)


def told(supernet):
    return SimpleNamespace(mixed=supernet)


def ready(supernet, seed=0):
    """Return the method with random strengths, and its strengths."""
    method, draw = method_of("pc-darts", {}), torch.Generator().manual_seed(seed)
    for name, count in method.counts(supernet.relaxation).items():
        method.strengths[name] = nn.Parameter(torch.randn(count, generator=draw))
    return method, method.strengths


def of_channels(x, options, weights, part):
    """Mix the first channels, let the others pass, and interleave (Xu et al., section 3.2)."""
    mixed = sum(w * option(x[:, :part]) for w, option in zip(weights, options, strict=True))
    others = x[:, part:]
    if mixed.shape[-1] < others.shape[-1]:
        others = functional.max_pool2d(others, 2, 2)
    joined = torch.cat([mixed, others], 1)
    groups = joined.shape[1] // part
    order = [g * part + c for c in range(part) for g in range(groups)]
    return joined[:, order]


@pytest.mark.parametrize("at", [0, 1])
def test_a_cell_is_that_of_the_paper(at):
    """Cell 0 is normal, cell 1 reduces; x_j is the sum of beta_ij times f_ij(x_i)."""
    supernet = supernet_of(darts, 2, channels=4, cells=3)
    method, strengths = ready(supernet)
    supernet.mix(method.routes(strengths, told(supernet), 0))
    cell, kind = supernet.network.cells[at].eval(), ("normal", "reduce")[at]
    before, now = (torch.randn(2, cell_in, 8, 8) for cell_in in (12, 12 if at == 0 else 16))
    values = [cell.fit_before(before), cell.fit_now(now)]
    part = values[0].shape[1] // 2
    for node in (2, 3, 4, 5):
        betas = strengths[f"edges into {kind}.node_{node}"].softmax(0)
        total = 0
        for source in range(node):
            alphas = strengths[f"{kind}.edge_{source}_{node}"].softmax(0)
            options = cell.operations[f"{source}_{node}"].options
            total = total + betas[source] * of_channels(values[source], options, alphas, part)
        values.append(total)
    torch.testing.assert_close(cell(before, now), torch.cat(values[2:], 1), rtol=1e-4, atol=1e-5)


def test_all_edges_get_a_gradient_and_a_path_counts_each_edge_once():
    supernet = supernet_of(nasbench201, 2, channels=4, cells=1)
    method, strengths = ready(supernet)
    assert [name for name in strengths if name not in supernet.options] == [
        "edges into node_2",
        "edges into node_3",
    ]  # one edge alone enters node 1
    supernet.mix(method.routes(strengths, told(supernet), 0))
    supernet(IMAGES).square().sum().backward()
    assert all(one.grad.count_nonzero() == len(one) for one in strengths.values())
    architecture = nasbench201.SPACE.sample(np.random.default_rng(0))
    supernet.take(architecture)
    assert all(isinstance(one.route, Only) for one in supernet.mixtures.values())


@given(st.integers(0, 1000))
def test_the_genotype_is_that_of_the_products(seed):
    """Against the authors' rule: alpha times beta, two edges per node, no ``none``."""
    supernet = SimpleNamespace(
        relaxation=darts.RELAXATION,
        options={path: len(OPTIONS) for path in darts.RELAXATION.space.decisions},
    )
    method, strengths = ready(supernet, seed)
    genotype = darts.to_genotype(method.derived(told(supernet)))
    none = OPTIONS.index(NONE)
    for cell, edges in (("normal", genotype.normal), ("reduce", genotype.reduce)):
        for at, node in enumerate((2, 3, 4, 5)):
            betas = strengths[f"edges into {cell}.node_{node}"].detach().softmax(0)
            best = []
            for source in range(node):
                own = strengths[f"{cell}.edge_{source}_{node}"].detach().softmax(0) * betas[source]
                strength, k = max((float(own[k]), k) for k in range(len(OPTIONS)) if k != none)
                best.append((strength, source, OPTIONS[k]))
            expected = {(name, source) for _, source, name in sorted(best)[-2:]}
            assert {*edges[2 * at : 2 * at + 2]} == expected


def test_edges_are_reported_and_kept():
    supernet = supernet_of(small, 2, channels=4, cells=1)
    method, strengths = ready(supernet)
    metrics = method.reported(told(supernet))
    into = [value for name, value in metrics.items() if name.startswith("weight/edges into")]
    assert len(into) == 5
    assert sum(into) == pytest.approx(2)  # of two nodes
    assert {*method.weights()} == {*supernet.options}
    edge = strengths["edges into node_3"].softmax(0)[1]
    own = strengths["edge_1_3"].softmax(0)
    ranks = method.ranks(small.RELAXATION)["edge_1_3"]
    assert ranks == pytest.approx((own * edge).tolist())
    method._adam = SimpleNamespace(state_dict=dict)
    other = method_of("pc-darts", {})
    other.load_state_dict(method.state_dict())
    assert other.ranks(small.RELAXATION) == method.ranks(small.RELAXATION)


@pytest.mark.parametrize(
    ("nodes", "says"),
    [
        ({"a": ("edge_0_9",)}, "the node 'a' .* no decision 'edge_0_9'"),
        ({"a": ("edge_0_1",), "b": ("edge_0_1",)}, "'edge_0_1' enters 'a' and 'b'"),
    ],
)
def test_nodes_that_are_none_are_refused(nodes, says):
    with pytest.raises(SpaceError, match=says):
        plain(small.SPACE, nodes)


def test_without_nodes_all_is_as_in_darts():
    supernet = supernet_of(small, 1, channels=4, cells=1)
    supernet.relaxation = plain(small.SPACE)
    method, strengths = ready(supernet)
    assert {*strengths} == {*supernet.options}
    assert method.ranks(supernet.relaxation) == method.weights()
